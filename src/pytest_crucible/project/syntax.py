"""Small questions to a syntax tree."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from functools import lru_cache

Function = ast.FunctionDef | ast.AsyncFunctionDef


def assigned(node: ast.stmt) -> tuple[str, ast.expr] | None:
    """The name and the value of ``name = value`` and ``name: kind = value``."""
    if isinstance(node, ast.Assign) and len(node.targets) == 1 and isinstance(node.targets[0], ast.Name):
        return node.targets[0].id, node.value
    if isinstance(node, ast.AnnAssign) and isinstance(node.target, ast.Name) and node.value is not None:
        return node.target.id, node.value
    return None


def keyword(call: ast.Call, name: str) -> ast.expr | None:
    """The value of a keyword argument."""
    return next((word.value for word in call.keywords if word.arg == name), None)


def constant(node: ast.AST | None) -> object:
    """The value of a literal; None for anything else."""
    return node.value if isinstance(node, ast.Constant) else None


def text(node: ast.AST | None) -> str:
    """An expression as one writes it; empty for none, and for one that is nested too deeply to be written."""
    try:
        return "" if node is None else ast.unparse(node)
    except RecursionError:
        return ""


def own(function: Function) -> Iterator[ast.AST]:
    """What runs in *function* itself, and not in a function or class inside it."""
    waiting: list[ast.AST] = list(reversed(function.body))
    while waiting:
        node = waiting.pop()
        yield node
        if not isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef | ast.Lambda):
            waiting.extend(reversed(list(ast.iter_child_nodes(node))))


def is_generator(function: Function) -> bool:
    """Whether it yields."""
    return any(isinstance(node, ast.Yield | ast.YieldFrom) for node in own(function))


def required(function: Function) -> list[str]:
    """The arguments that a caller has to give."""
    arguments = [*function.args.posonlyargs, *function.args.args]
    given = arguments[: len(arguments) - len(function.args.defaults)]
    words = [word for word, value in zip(function.args.kwonlyargs, function.args.kw_defaults, strict=True) if not value]
    return [argument.arg for argument in (*given, *words)]


@lru_cache(maxsize=1 << 16)  # the same functions are asked by everything that looks for something
def calls(node: ast.AST) -> tuple[ast.Call, ...]:
    """Every call in it, in the order of the lines."""
    found = [child for child in ast.walk(node) if isinstance(child, ast.Call)]
    return tuple(sorted(found, key=lambda call: (call.lineno, call.col_offset)))


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
