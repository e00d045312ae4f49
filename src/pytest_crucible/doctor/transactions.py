"""Sessions and transactions of hand-written test fixtures: what commits every test, and what loses rows.

Each pattern was run on PostgreSQL: which rows a fixture leaves behind, and which it takes with it, is measured.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator

from ..project.syntax import Function, calls, constant, functions_of, keyword, last, owner, parameters
from ..project.tree import Module
from .case import Case
from .findings import Finding
from .makers import settings_of

With = ast.With | ast.AsyncWith
SAFE = "create_savepoint"


def commits_every_test(case: Case) -> Iterator[Finding]:
    """``async with conn.begin() as trans: … yield …`` and a rollback behind the block, or none at all."""
    for module in case.project.tests:
        for function in functions_of(module.tree):
            for block, begin, name in _begun(function):
                if late := _rollback_behind(function, block, name):
                    yield _late(case, module, begin, late)
                elif _only_commits(block, {name, owner(begin)}):
                    yield _never(case, module, begin, block)


def _begun(function: Function) -> Iterator[tuple[With, ast.Call, str]]:
    """The ``with ….begin() as name`` blocks of a function."""
    for node in ast.walk(function):
        if isinstance(node, ast.With | ast.AsyncWith):
            for item in node.items:
                if isinstance(item.context_expr, ast.Call) and last(item.context_expr) == "begin":
                    yield node, item.context_expr, last(item.optional_vars)


def _rollback_behind(function: Function, block: With, name: str) -> ast.Call | None:
    """A rollback of what the block began, after it has ended."""
    end = block.end_lineno or block.lineno
    expected = {
        call
        for node in ast.walk(function)
        if isinstance(node, ast.With) and any(last(item.context_expr) == "raises" for item in node.items)
        for call in calls(node)
    }  # a test of what such a rollback does
    late = (call for call in _rollbacks(function, name) if call.lineno > end and call not in expected)
    return next(late, None) if name else None


def _rollbacks(node: ast.AST, *names: str) -> Iterator[ast.Call]:
    yield from (call for call in calls(node) if last(call) == "rollback" and (not names or owner(call) in names))


def _only_commits(block: With, names: set[str]) -> bool:
    """Whether a test runs inside the block, in a session whose commits are savepoints, and nothing rolls back."""
    yields = any(isinstance(node, ast.Yield) for node in ast.walk(block))
    joined = any(keyword(made, "join_transaction_mode") is not None for made in calls(block))
    return yields and joined and not any(_rollbacks(block, *names))  # the session's own rolls a savepoint back


def _late(case: Case, module: Module, begin: ast.Call, late: ast.Call) -> Finding:
    return Finding(
        f"{owner(late)}.rollback() stands behind the block of {ast.unparse(begin)}, which has committed by then.",
        "Leaving the block commits: each test's rows stay for the next ones, and in the database for ever. The "
        "rollback then does nothing but warn.",
        "Roll back inside the block, after the yield; or begin the transaction without a block that commits. With "
        "Crucible: delete the fixture, and ask for db_session.",
        case.where(module),
        late.lineno,
    )


def _never(case: Case, module: Module, begin: ast.Call, block: With) -> Finding:
    return Finding(
        f"The test runs inside {ast.unparse(begin)}, and nothing rolls back.",
        "Leaving the block commits: each test's rows stay for the next ones, and in the database for ever.",
        "Roll back inside the block, after the yield. With Crucible: delete the fixture, and ask for db_session.",
        case.where(module),
        block.lineno,
    )


def join_mode(case: Case) -> Iterator[Finding]:
    """A session on a connection with an outer transaction, in another mode than ``create_savepoint``."""
    outer = _fixtures_with_transaction(case)
    for module in case.project.tests:
        for function in functions_of(module.tree):
            connections = _in_transaction(function) | (outer & set(parameters(function)))
            if any(constant(node) == "after_transaction_end" for node in ast.walk(function)):
                continue  # the recipe of SQLAlchemy 1.x, which restarts a savepoint of its own
            for call in calls(function):
                if _bind(call) in connections:
                    settings = settings_of(case.project, module, call)
                    if settings is not None and _loses(settings):
                        mode = constant(settings.get("join_transaction_mode"))
                        yield _lost(case, module, call, str(mode or ""))


def _loses(settings: dict[str | None, ast.expr]) -> bool:
    mode = settings.get("join_transaction_mode")
    if mode is None:
        return None not in settings  # **options may set it: nobody can tell
    return isinstance(mode, ast.Constant) and mode.value != SAFE


def _bind(call: ast.Call) -> str:
    bind = keyword(call, "bind") or (call.args[0] if call.args else None)
    return bind.id if isinstance(bind, ast.Name) else ""


def _in_transaction(function: Function) -> set[str]:
    """The connections of a function on which a transaction has begun, other than a savepoint."""
    connected, begun = set(), set()
    for node in ast.walk(function):
        if isinstance(node, ast.withitem) and isinstance(node.optional_vars, ast.Name):
            if last(node.context_expr) == "connect":
                connected.add(node.optional_vars.id)
            elif last(node.context_expr) == "begin":
                begun.add(node.optional_vars.id)
        elif isinstance(node, ast.Assign) and last(node.value) == "connect":
            connected |= {target.id for target in node.targets if isinstance(target, ast.Name)}
    savepoints = {owner(call) for call in calls(function) if last(call) == "begin_nested"}
    started = {owner(call) for call in calls(function) if last(call) == "begin"}
    given = set(parameters(function)) & started - _engines(function)
    return (begun | given | (connected & started)) - savepoints


def _engines(function: Function) -> set[str]:
    """The names of a function on which connections are opened: their begin() gives a connection."""
    opened = {owner(call) for call in calls(function) if last(call) in ("connect", "dispose")}
    by_name = {name for name in parameters(function) if "engine" in name.lower()}
    used = {owner(call) for call in calls(function) if last(call) in ("execute", "run_sync", "scalar")}
    return opened | by_name | {owner(begin) for _, begin, name in _begun(function) if name in used}


def _fixtures_with_transaction(case: Case) -> set[str]:
    """Fixtures that yield a connection on which a transaction has begun."""
    found = set()
    for module in case.project.tests:
        for function in functions_of(module.tree):
            yielded = {last(node.value) for node in ast.walk(function) if isinstance(node, ast.Yield | ast.Return)}
            if yielded & _in_transaction(function):
                found.add(function.name)
    return found


def _lost(case: Case, module: Module, call: ast.Call, mode: str) -> Finding:
    is_leak = mode == "control_fully"
    return Finding(
        f"{last(call)} is bound to a connection with an outer transaction, "
        + (f'join_transaction_mode="{mode}".' if mode else "without join_transaction_mode."),
        "Commits of the code under test are real: they stay in the database."
        if is_leak
        else "A rollback in the code under test (an IntegrityError that it handles, for one) rolls the outer "
        "transaction back, and with it the rows that fixtures have made.",
        'Write join_transaction_mode="create_savepoint". With Crucible: delete the fixture, and ask for db_session.',
        case.where(module),
        call.lineno,
    )
