"""Small queries on a syntax tree."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from functools import lru_cache

Function = ast.FunctionDef | ast.AsyncFunctionDef


def assigned(node: ast.stmt) -> tuple[str, ast.expr] | None:
    """Return the name and the value of ``name = value`` and ``name: kind = value``."""
    if isinstance(node, ast.Assign) and len(node.targets) == 1 and isinstance(node.targets[0], ast.Name):
        return node.targets[0].id, node.value
    if isinstance(node, ast.AnnAssign) and isinstance(node.target, ast.Name) and node.value is not None:
        return node.target.id, node.value
    return None


def statements(body: list[ast.stmt]) -> Iterator[ast.stmt]:
    """Yield every statement, those in functions and blocks too, and no expression: most nodes are expressions."""
    waiting = list(reversed(body))
    while waiting:
        node = waiting.pop()
        yield node
        for name in ("finalbody", "orelse", "handlers", "cases", "body"):
            waiting.extend(reversed(getattr(node, name, ())))


def keyword(call: ast.Call, name: str) -> ast.expr | None:
    """Return the value of a keyword argument."""
    return next((argument.value for argument in call.keywords if argument.arg == name), None)


def constant(node: ast.AST | None) -> object:
    """Return the value of a literal; None for anything else."""
    return node.value if isinstance(node, ast.Constant) else None


def is_nothing(node: ast.AST | None) -> bool:
    """Return whether there is no expression, or it is ``None``."""
    return node is None or (isinstance(node, ast.Constant) and node.value is None)


def text(node: ast.AST | None) -> str:
    """Return an expression as source text; empty for None, and if it is nested too deeply to be unparsed."""
    try:
        return "" if node is None else ast.unparse(node)
    except RecursionError:
        return ""


def own(function: Function) -> Iterator[ast.AST]:
    """Yield the nodes that run in *function* itself, and not in a function or class inside it."""
    waiting: list[ast.AST] = list(reversed(function.body))
    while waiting:
        node = waiting.pop()
        yield node
        if not isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef | ast.Lambda):
            waiting.extend(reversed(list(ast.iter_child_nodes(node))))


def is_generator(function: Function) -> bool:
    """Return whether *function* yields."""
    return any(isinstance(node, ast.Yield | ast.YieldFrom) for node in own(function))


def is_stub(function: Function) -> bool:
    """Return whether *function* begins by raising an error: another function takes its place."""
    body = [node for node in function.body if not (isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant))]
    return isinstance(next(iter(body), None), ast.Raise)


def required(function: Function) -> list[str]:
    """Return the arguments of *function* that have no default."""
    positional = [*function.args.posonlyargs, *function.args.args]
    positional = positional[: len(positional) - len(function.args.defaults)]
    keywords = zip(function.args.kwonlyargs, function.args.kw_defaults, strict=True)
    return [argument.arg for argument in (*positional, *(argument for argument, value in keywords if not value))]


@lru_cache(maxsize=1 << 16)  # each part of the survey looks at the same functions
def calls(node: ast.AST) -> tuple[ast.Call, ...]:
    """Return every call in *node*, in the order of the lines."""
    nodes = [child for child in ast.walk(node) if isinstance(child, ast.Call)]
    return tuple(sorted(nodes, key=lambda call: (call.lineno, call.col_offset)))


def parameters(node: Function) -> tuple[str, ...]:
    """Return the names of a function's arguments."""
    return tuple(argument.arg for argument in (*node.args.posonlyargs, *node.args.args, *node.args.kwonlyargs))


def functions_of(tree: ast.AST) -> Iterator[Function]:
    """Yield every function in a module, those in classes and functions too."""
    for node in ast.walk(tree):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            yield node


def last(node: ast.AST | None) -> str:
    """Return the last part of a dotted name: ``begin`` of ``conn.begin``, and of a call of it."""
    if isinstance(node, ast.Call):
        return last(node.func)
    if isinstance(node, ast.Await):
        return last(node.value)
    if isinstance(node, ast.Attribute):
        return node.attr
    return node.id if isinstance(node, ast.Name) else ""


def owner(node: ast.AST | None) -> str:
    """Return the name before the last part: ``conn`` of ``conn.begin()``, ``self.conn`` of ``self.conn.begin``."""
    if isinstance(node, ast.Call):
        return owner(node.func)
    return ast.unparse(node.value) if isinstance(node, ast.Attribute) else ""
