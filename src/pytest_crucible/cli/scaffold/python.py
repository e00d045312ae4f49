"""Text of Python: modules put together, and edits of modules that are there."""

from __future__ import annotations

import ast
import sys
from collections.abc import Iterable
from itertools import takewhile

from ...project import Project
from ...project.syntax import text
from .editing import lines_of


def module(project: Project, docstring: str, imports: Iterable[str], *parts: str) -> str:
    """The text of a module: its docstring, its imports in groups, and *parts*, two lines apart.

    Args:
        project: Whose own packages are imported last.
        docstring: One line.
        imports: Lines, in any order; those from one module are joined.
        parts: Functions and assignments; empty ones are left out.
    """
    blocks = [f'"""{docstring}"""', "\n\n".join(_groups(project, imports))]
    head = "\n\n".join(block for block in blocks if block)
    return (
        head
        + "".join(f"\n\n{part}" if part.startswith("pytestmark") else f"\n\n\n{part}" for part in parts if part)
        + "\n"
    )


def _groups(project: Project, imports: Iterable[str]) -> list[str]:
    own = {name.partition(".")[0] for name in (*project.by_name, "tests")}
    groups: dict[int, list[str]] = {0: [], 1: [], 2: []}
    for line in sorted(_joined(imports), key=lambda line: (line.startswith("from "), line.split()[1].lower())):
        top = line.split()[1].partition(".")[0]
        groups[0 if top in sys.stdlib_module_names else 2 if top in own else 1].append(line)
    return ["\n".join(lines) for lines in groups.values() if lines]


def _joined(imports: Iterable[str]) -> list[str]:
    names: dict[str, set[str]] = {}
    plain = set()
    for line in imports:
        if line.startswith("from "):
            origin, _, imported = line.removeprefix("from ").partition(" import ")
            names.setdefault(origin, set()).update(imported.split(", "))
        elif line:
            plain.add(line)
    return [*plain, *(f"from {origin} import {', '.join(sorted(one, key=_case))}" for origin, one in names.items())]


def _case(name: str) -> tuple[bool, bool, str]:
    """CONSTANTS before Classes before functions, as isort sorts them."""
    return not name.isupper(), not name[:1].isupper(), name


def with_plugins(source: str, plugins: list[str]) -> str | None:
    """*source*, a conftest, with modules of fixtures named in ``pytest_plugins``; None where it cannot be changed."""
    try:
        tree = ast.parse(source)
    except SyntaxError:
        return None
    for node in tree.body:
        if isinstance(node, ast.Assign) and text(node.targets[0]) == "pytest_plugins":
            if not isinstance(node.value, ast.List | ast.Tuple):
                return None
            there = ast.literal_eval(node.value)
            missing = [name for name in plugins if name not in there]
            return _replaced(source, node, _plugins([*there, *missing])) if missing else source
    lines = lines_of(source)
    last = max((node.end_lineno or 0 for node in tree.body if _is_head(node)), default=0)
    before, after = "".join(lines[:last]).rstrip("\n"), "".join(lines[last:]).lstrip("\n")
    following = next((line for line in after.splitlines() if line and not line.startswith("#")), "")
    gap = "\n\n\n" if following.startswith(("def ", "async ", "class ", "@")) else "\n\n"
    return (f"{before}\n\n" if before else "") + _plugins(plugins) + (gap + after if after else "\n")


def _is_head(node: ast.stmt) -> bool:
    return _is_first(node) or isinstance(node, ast.Import | ast.ImportFrom)


def _is_first(node: ast.stmt) -> bool:
    if isinstance(node, ast.ImportFrom):
        return node.module == "__future__"
    return isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant)


def _plugins(names: list[str]) -> str:
    return "pytest_plugins = [\n" + "".join(f'    "{name}",\n' for name in names) + "]"


def _replaced(source: str, node: ast.stmt, new: str) -> str:
    lines = lines_of(source)
    return "".join([*lines[: node.lineno - 1], new + "\n", *lines[node.end_lineno :]])


def with_import(source: str, line: str) -> str:
    """*source* with one more import, after the docstring and what has to stand before all other imports."""
    tree = ast.parse(source)
    last = max((node.end_lineno or 0 for node in takewhile(_is_first, tree.body)), default=0)
    lines = lines_of(source)
    head = "".join(lines[:last]).rstrip("\n")
    rest = "".join(lines[last:]).lstrip("\n")
    return (
        (f"{head}\n\n" if head else "")
        + f"{line}\n"
        + (f"{rest}" if rest.startswith(("import ", "from ")) else f"\n{rest}")
    )
