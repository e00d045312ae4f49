"""The bases of models that the code creates on an engine, or binds to one."""

from __future__ import annotations

import ast
from collections.abc import Iterator, Sequence

from .engines import Engine
from .modules import Module, Project
from .names import full, origin
from .syntax import calls, keyword, last, text


def bindings(project: Project, engines: Sequence[Engine]) -> list[tuple[str, Engine]]:
    """Return the full name of each base with its engine, as ``create_all`` and ``binds=`` have them."""
    by_path = {engine.place.path.replace(":", "."): engine for engine in engines}
    pairs = [
        (origin(project, full(module, base)).removesuffix(".metadata"), origin(project, full(module, engine)))
        for module in project.modules
        if module.mentions("create_all", "binds") and len(by_path) > 1
        for base, engine in _pairs(module)
    ]
    return [(base, by_path[engine]) for base, engine in pairs if engine in by_path]


def _pairs(module: Module) -> Iterator[tuple[ast.expr, ast.expr]]:
    for call in calls(module.tree):
        binds = keyword(call, "binds")
        if isinstance(binds, ast.Dict):
            yield from ((base, engine) for base, engine in zip(binds.keys, binds.values, strict=True) if base)
        elif last(call) == "create_all" and isinstance(call.func, ast.Attribute):
            engine = keyword(call, "bind") or next(iter(call.args), None)
            if engine is not None:
                yield call.func.value, engine
    for node in ast.walk(module.tree):
        if isinstance(node, ast.With | ast.AsyncWith):
            yield from _within(node)


def _within(block: ast.With | ast.AsyncWith) -> Iterator[tuple[ast.expr, ast.expr]]:
    """Yield what is created on the connection of a ``with`` block."""
    engines = {text(item.optional_vars): _owner(item.context_expr) for item in block.items if item.optional_vars}
    for statement in block.body:
        for call in calls(statement):
            made = next(iter(call.args), None)
            if last(call) == "run_sync" and isinstance(call.func, ast.Attribute) and isinstance(made, ast.Attribute):
                base, connection = made.value, call.func.value
                is_made = made.attr == "create_all"
            elif isinstance(call.func, ast.Attribute) and made is not None:
                base, connection = call.func.value, made
                is_made = call.func.attr == "create_all"
            else:
                continue
            engine = engines.get(text(connection)) if is_made else None
            if engine is not None:
                yield base, engine


def _owner(node: ast.expr) -> ast.expr | None:
    """Return ``engine`` of ``engine.begin()``."""
    return node.func.value if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) else None
