"""What the checks ask syntax trees: calls, and what names are bound to."""

from __future__ import annotations

import ast
from collections.abc import Iterator

from ..project.syntax import Function, calls, constant, keyword

__all__ = ["Function", "calls", "keyword", "literal"]

literal = constant


def parameters(node: Function) -> tuple[str, ...]:
    """The names of a function's arguments."""
    return tuple(argument.arg for argument in (*node.args.posonlyargs, *node.args.args, *node.args.kwonlyargs))


def functions_of(tree: ast.AST) -> Iterator[Function]:
    """Every function in a module, those in classes and functions too."""
    for node in ast.walk(tree):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            yield node


def last(node: ast.AST | None) -> str:
    """The last part of a dotted name: ``begin`` of ``conn.begin``, also of the call of it."""
    if isinstance(node, ast.Call):
        return last(node.func)
    if isinstance(node, ast.Await):
        return last(node.value)
    if isinstance(node, ast.Attribute):
        return node.attr
    return node.id if isinstance(node, ast.Name) else ""


def owner(node: ast.AST | None) -> str:
    """The name before the last part: ``conn`` of ``conn.begin()``, ``self.conn`` of ``self.conn.begin``."""
    if isinstance(node, ast.Call):
        return owner(node.func)
    return ast.unparse(node.value) if isinstance(node, ast.Attribute) else ""
