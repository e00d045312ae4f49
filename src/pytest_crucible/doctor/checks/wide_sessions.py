"""The check of sessions that outlive tests, and that tests write through."""

from __future__ import annotations

import ast
from collections.abc import Iterator

from ...project.engines import yields_session
from ...project.fixtures import Fixture
from ...project.modules import Module
from ...project.requesters import requesters
from ...project.syntax import Function, calls, last, own, owner
from ..case import Case
from ..findings import Finding

WRITING = {"add", "add_all", "delete", "merge", "bulk_save_objects", "bulk_insert_mappings", "bulk_update_mappings"}
STATEMENTS = {"insert", "update", "delete"}
SQL = ("insert ", "update ", "delete ")
WIDE = ("class", "module", "package", "session")
WHY = {
    "reset": "What a test commits through it is reset, what it leaves uncommitted is rolled back with a LeakWarning; "
    "but the objects of earlier tests stay in it, and their rows are gone.",
    "clone": "Each test has a database of its own, to which it connects anew; but the objects of earlier tests stay in "
    "it, and their rows are gone.",
    "rollback": "It is not in the outer transaction: the application does not see what is only flushed through it, and "
    "the objects of earlier tests stay in it, while their rows are gone.",
    "": "Nothing ends its transaction between tests, so that the rows and objects of one test are there for the next: "
    "results depend on the order of the tests.",
}


def wide_sessions(case: Case) -> Iterator[Finding]:
    """Yield each wide fixture that holds one session open, through which tests write."""
    makers = {one.place.path.replace(":", "."): one.is_async for one in case.finds.session_makers}
    for fixture in case.fixtures:
        if fixture.scope in WIDE and "savepoint" not in fixture.traits:
            is_async = yields_session(case.project, fixture.module, fixture.node, makers)
            place = None if is_async is None else _first_write(case, fixture)
            if place is not None and is_async is not None:
                yield _finding(case, fixture, place, "db_session" if is_async else "sync_session")


def _finding(case: Case, fixture: Fixture, place: str, ours: str) -> Finding:
    on = case.settings.on
    wide = f"{fixture.scope}-scoped fixture {fixture.name}"
    return Finding(
        f"The {wide} holds one session open, and tests write through it ({place}).",
        WHY[case.settings.isolation if on else ""],
        f"Leave out its scope, so that each test has a session; or delete it, and request {ours}. Rows for all tests "
        "belong in a wide fixture that commits them, and closes its session before it yields."
        if on
        else "Leave out its scope, so that each test has a session, and roll that back. With Crucible: delete it, and "
        f"request {ours}.",
        case.where(fixture.module),
        fixture.node.lineno,
        severity="note" if on and case.settings.isolation != "rollback" else None,
    )


def _first_write(case: Case, fixture: Fixture) -> str | None:
    """Return the location of the first test that writes through the session; None if another fixture rolls back."""
    requests = list(requesters(case.project, case.fixtures, fixture))
    narrow = {id(one.node): one for one in case.fixtures}
    if any(id(function) in narrow and _isolates(narrow[id(function)], fixture.name) for _, function in requests):
        return None
    return next(
        (place for module, function in requests for place in _writes(case, module, function, fixture.name)), None
    )


def _isolates(fixture: Fixture, session: str) -> bool:
    """Return whether a fixture that requests *session* ends what a test does in it."""
    ends = {"rollback", "begin_nested", "begin", "close", "expunge_all", "remove"}
    return any(last(call) in ends and owner(call) == session for call in calls(fixture.node))


def _writes(case: Case, module: Module, function: Function, session: str) -> Iterator[str]:
    for node in own(function):
        if isinstance(node, ast.Call) and owner(node) == session and _is_write(node):
            yield f"{case.where(module)}:{node.lineno}"


def _is_write(call: ast.Call) -> bool:
    if last(call) in WRITING:
        return True
    if last(call) not in ("execute", "scalars", "scalar") or not call.args:
        return False
    called = {last(inner) for inner in calls(call.args[0])}
    texts = [node.value for node in ast.walk(call.args[0]) if isinstance(node, ast.Constant)]
    return bool(called & STATEMENTS) or any(
        isinstance(value, str) and value.lstrip().lower().startswith(SQL) for value in texts
    )
