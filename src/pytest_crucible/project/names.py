"""Resolution of names in a module: imports are followed, through the project's own modules too."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from functools import cache

from .modules import Module, Project
from .syntax import statements


@cache
def imported(module: Module) -> dict[str, str]:
    """Return the names that *module* imports, anywhere in it, each with its full dotted name."""
    names: dict[str, str] = {}
    for node in statements(module.tree.body):
        if isinstance(node, ast.Import):
            for alias in node.names:
                names[alias.asname or alias.name.partition(".")[0]] = (
                    alias.name if alias.asname else alias.name.partition(".")[0]
                )
        elif isinstance(node, ast.ImportFrom):
            origin = _origin(module, node)
            names |= {alias.asname or alias.name: f"{origin}.{alias.name}".lstrip(".") for alias in node.names}
    return names


def full(module: Module, node: ast.AST | None) -> str:
    """Return the full dotted name of an expression of names and attributes.

    A call or a subscript has the name of its function or container; anything else has an empty name. A name that is
    not imported belongs to *module* itself; a name in quotes is an annotation.
    """
    attributes: list[str] = []
    while isinstance(node, ast.Attribute | ast.Call | ast.Subscript):
        if isinstance(node, ast.Attribute):
            attributes.insert(0, node.attr)
        node = node.func if isinstance(node, ast.Call) else node.value
    if isinstance(node, ast.Name):
        return ".".join([_named(module, node.id), *attributes])
    if isinstance(node, ast.Constant) and isinstance(node.value, str) and not attributes:
        head, *rest = node.value.partition("[")[0].split(".")
        return ".".join([_named(module, head), *rest]) if all(map(str.isidentifier, (head, *rest))) else ""
    return ""


def _named(module: Module, name: str) -> str:
    return imported(module).get(name, f"{module.name}.{name}")


def origin(project: Project, dotted: str) -> str:
    """Return the definition of *dotted*, if a module of the project re-exports it.

    For example ``app.base.Base`` for ``app.models.Base``.
    """
    seen = set()
    while dotted not in seen:
        seen.add(dotted)
        module, rest = split(project, dotted)
        if module is None or not rest:
            return dotted
        name, _, attributes = rest.partition(".")
        if name in imported(module):
            dotted = ".".join(filter(None, (imported(module)[name], attributes)))
    return dotted


def split(project: Project, dotted: str) -> tuple[Module | None, str]:
    """Return the project's module that *dotted* begins with, or None, and the rest of the name."""
    head, tail = dotted, ""
    while head:
        if head in project.by_name:
            return project.by_name[head], tail
        head, _, last = head.rpartition(".")
        tail = f"{last}.{tail}".rstrip(".")
    return None, dotted


def path_of(project: Project, dotted: str) -> str:
    """Return *dotted* as an option names it, with a colon after the module.

    The colon stands before the last part if the module is not the project's.
    """
    module, rest = split(project, dotted)
    if module is not None:
        return f"{module.name}:{rest}"
    head, _, last = dotted.rpartition(".")
    return f"{head}:{last}"


def reached(project: Project, *names: str) -> set[str]:
    """Return the names of the project's modules that importing *names* imports."""
    imports: set[str] = set()
    waiting = [module for name in names for module in _with_packages(project, name)]
    while waiting:
        module = waiting.pop()
        if module.name not in imports:
            imports.add(module.name)
            waiting += _imports(project, module)
    return imports


@cache
def _imports(project: Project, module: Module) -> tuple[Module, ...]:
    return tuple(dict.fromkeys(_imported_modules(project, module)))


def _imported_modules(project: Project, module: Module) -> Iterator[Module]:
    for node in module.top():
        if isinstance(node, ast.Import):
            for alias in node.names:
                yield from _with_packages(project, alias.name)
        elif isinstance(node, ast.ImportFrom):
            origin_ = _origin(module, node)
            yield from _with_packages(project, origin_)
            for alias in node.names:
                yield from _with_packages(project, f"{origin_}.{alias.name}")


def _with_packages(project: Project, name: str) -> Iterator[Module]:
    """Yield the packages that importing *name* imports, and the module itself, if the project has it."""
    if name in project.by_name:
        parts = name.split(".")
        heads = (".".join(parts[:end]) for end in range(1, len(parts) + 1))
        yield from (project.by_name[head] for head in heads if head in project.by_name)


def _origin(module: Module, node: ast.ImportFrom) -> str:
    if not node.level:
        return node.module or ""
    parts = module.package.split(".") if module.package else []
    base = parts[: len(parts) - (node.level - 1)]
    return ".".join([*base, *([node.module] if node.module else [])])
