"""The check of hand-written transactions that commit every test.

Each pattern was run on PostgreSQL, and the rows that the fixture leaves behind were measured.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator

from ...project.modules import Module
from ...project.syntax import Function, calls, functions_of, keyword, last, owner
from ..case import Case
from ..findings import Finding

With = ast.With | ast.AsyncWith


def commits_every_test(case: Case) -> Iterator[Finding]:
    """Yield each ``async with conn.begin() as trans: … yield …`` with a rollback after the block, or none at all."""
    for module in case.project.tests:
        for function in functions_of(module.tree) if module.mentions("begin(") else ():
            for block, begin, name in _begun(function):
                if late := _rollback_behind(function, block, name):
                    yield _late(case, module, begin, late)
                elif _only_commits(block, {name, owner(begin)}):
                    yield _never(case, module, begin, block)


def _begun(function: Function) -> Iterator[tuple[With, ast.Call, str]]:
    """Yield the ``with ….begin() as name`` blocks of a function."""
    for node in ast.walk(function):
        if isinstance(node, ast.With | ast.AsyncWith):
            for item in node.items:
                if isinstance(item.context_expr, ast.Call) and last(item.context_expr) == "begin":
                    yield node, item.context_expr, last(item.optional_vars)


def _rollback_behind(function: Function, block: With, name: str) -> ast.Call | None:
    """Return a rollback of the block's transaction that follows the block."""
    end = block.end_lineno or block.lineno
    expected = {
        call
        for node in ast.walk(function)
        if isinstance(node, ast.With) and any(last(item.context_expr) == "raises" for item in node.items)
        for call in calls(node)
    }  # a test expects such a rollback to fail
    late = (call for call in _rollbacks(function, name) if call.lineno > end and call not in expected)
    return next(late, None) if name else None


def _rollbacks(node: ast.AST, *names: str) -> Iterator[ast.Call]:
    yield from (call for call in calls(node) if last(call) == "rollback" and (not names or owner(call) in names))


def _only_commits(block: With, names: set[str]) -> bool:
    """Return whether a test runs inside the block, in a session with savepoints, and nothing rolls back."""
    yields = any(isinstance(node, ast.Yield) for node in ast.walk(block))
    joined = any(keyword(made, "join_transaction_mode") is not None for made in calls(block))
    return yields and joined and not any(_rollbacks(block, *names))  # the session's own rollback ends only a savepoint


def _late(case: Case, module: Module, begin: ast.Call, late: ast.Call) -> Finding:
    return Finding(
        f"{owner(late)}.rollback() follows the block of {ast.unparse(begin)}, which has committed by then.",
        "Leaving the block commits: each test's rows stay for later tests, and in the database for ever. The "
        "rollback then only warns.",
        "Roll back inside the block, after the yield; or begin the transaction without a block that commits. With "
        "Crucible: delete the fixture, and ask for db_session.",
        case.where(module),
        late.lineno,
    )


def _never(case: Case, module: Module, begin: ast.Call, block: With) -> Finding:
    return Finding(
        f"The test runs inside {ast.unparse(begin)}, and nothing rolls back.",
        "Leaving the block commits: each test's rows stay for later tests, and in the database for ever.",
        "Roll back inside the block, after the yield. With Crucible: delete the fixture, and ask for db_session.",
        case.where(module),
        block.lineno,
    )
