"""Functions taken out of a module as text, and the imports that nothing else needs with them."""

from __future__ import annotations

import ast
import io
import re
from collections.abc import Iterator, Mapping

Lines = tuple[int, int]


def without(source: str, edits: Mapping[Lines, str]) -> str:
    """*source* with ranges of lines, counted from 1, replaced; with nothing, they go with the comment above them."""
    before = ast.parse(source)
    lines = lines_of(source)
    for (first, last), new in sorted(edits.items(), reverse=True):
        begin = first - 1
        while not new and begin and lines[begin - 1].startswith("#"):
            begin -= 1
        end = last
        while not new and end < len(lines) and not lines[end].strip():
            end += 1
        lines[begin:end] = [new] if new else []
    text = "".join(lines)
    text = _without_imports(text, _used(before) - _used(ast.parse(text)))
    return re.sub(r"\n{4,}", "\n\n\n", text).strip("\n") + "\n" if text.strip() else ""


def lines_of(source: str) -> list[str]:
    """Its lines as Python counts them: a form feed ends none."""
    return list(io.StringIO(source, newline="\n"))


def _used(tree: ast.Module) -> set[str]:
    """Every name that is read, and every name in ``__all__`` or a quoted annotation."""
    names = {node.id for node in ast.walk(tree) if isinstance(node, ast.Name)}
    words = (node.value for node in ast.walk(tree) if isinstance(node, ast.Constant) and isinstance(node.value, str))
    return names | {word for text in words for word in re.findall(r"[A-Za-z_]\w*", text) if len(text) < 200}


def _without_imports(source: str, gone: set[str]) -> str:
    """*source* without the imports of names that are not used any more."""
    lines = lines_of(source)
    for node in reversed(ast.parse(source).body):
        if isinstance(node, ast.Import | ast.ImportFrom):
            stays = [alias for alias in node.names if (alias.asname or alias.name).partition(".")[0] not in gone]
            if len(stays) < len(node.names):
                begin, end = node.lineno - 1, node.end_lineno or node.lineno
                while not stays and begin and end < len(lines) and not (lines[begin - 1] + lines[end]).strip():
                    end += 1  # one empty line between what is left, and not two
                lines[begin:end] = _import(node, stays)
    return "".join(lines)


def _import(node: ast.Import | ast.ImportFrom, names: list[ast.alias]) -> Iterator[str]:
    if not names:
        return
    words = [f"{alias.name} as {alias.asname}" if alias.asname else alias.name for alias in names]
    if isinstance(node, ast.Import):
        yield f"import {', '.join(words)}\n"
        return
    head = f"from {'.' * node.level}{node.module or ''} import "
    line = head + ", ".join(words)
    if len(line) <= 88:
        yield line + "\n"
    else:
        yield head + "(\n" + "".join(f"    {word},\n" for word in words) + ")\n"
