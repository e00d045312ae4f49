"""Whether a fixture of the suite does nothing but what Crucible does in its place: only then may it go.

What is called for its effect has to be known here, and what is handed to the tests has to be what ours is. Whatever
else a fixture does, such as a row that it inserts, a header that it sets or a patch that it holds, would be lost.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator
from urllib.parse import urlsplit

from ...project import Finds
from ...project.applications import Application
from ...project.imports import full, origin
from ...project.suites import Fixture
from ...project.syntax import assigned, calls, constant, keyword, own, text

ENGINES = {"create_engine", "create_async_engine"}
MAKERS = {"sessionmaker", "async_sessionmaker"}
SESSIONS = {"Session", "AsyncSession"}
GIVES = {
    "async_client": {"AsyncClient"},
    "db_session": SESSIONS,
    "sync_session": SESSIONS,
    "async_engine": ENGINES,
}
# What is called for its effect, by the last part of its name: Crucible does the same, or has no need of it.
DONE = {
    "connect", "begin", "begin_nested", "commit", "rollback", "flush", "close", "aclose", "dispose", "expire_all",
    "expunge_all", "run_sync", "create_all", "drop_all", "listens_for", "listen", "remove", "start", "stop", "clear",
    "pop", "print", "PostgresContainer", "LifespanManager", "lifespan_context", "ASGITransport", "AsyncClient",
    *ENGINES, *SESSIONS,
}  # fmt: skip
CLIENT_WORDS = {"transport", "app", "base_url"}
ENGINE_WORDS = {"execution_options", "json_serializer", "json_deserializer", "isolation_level"}


def is_faithful(finds: Finds, fixture: Fixture, by: str | None) -> bool:
    """Whether nothing is lost without it.

    Args:
        finds: What was found.
        fixture: A fixture.
        by: The fixture of Crucible's in its place, or what it would be.
    """
    if fixture.node.col_offset or any(keyword(one, "params") for one in calls_of_decorators(fixture)):
        return False  # in a class, or several in one
    if fixture.name == "event_loop":
        return True  # what it does has no effect any more
    if by not in (None, "async_engine") and fixture.scope != "function":
        return False  # its state is shared by several tests
    gives_the_same = by is None or all(_gives(finds, fixture, value, GIVES[by]) for value in _given(fixture))
    return gives_the_same and not is_special(fixture) and not any(_effects(finds, fixture))


def has_only(finds: Finds, fixture: Fixture, free: set[str], depth: int = 4) -> bool:
    """Whether what a fixture asks for is *free*, or a plain value of the suite."""
    for name in fixture.arguments:
        if name in free or (name == "request" and not _reads(fixture, name)):
            continue
        ones = [one for one in finds.fixtures if one.name == name]
        plain = (one.traits & {"container", "engine"} or _is_value(finds, one) for one in ones)
        if not ones or not depth or not all(plain) or not all(has_only(finds, one, free, depth - 1) for one in ones):
            return False
    return True


def gives_session(finds: Finds, fixture: Fixture) -> bool:
    """Whether tests get a session from it."""
    given = list(_given(fixture))
    return bool(given) and all(_gives(finds, fixture, value, SESSIONS) for value in given)


def is_client_of(finds: Finds, fixture: Fixture, app: Application) -> bool:
    """Whether it is a client of the application like Crucible's, with no override but that of the session."""
    sessions = {one.place.path.replace(":", ".") for one in finds.session_dependencies}
    for node in ast.walk(fixture.node):
        is_override = isinstance(node, ast.Subscript) and text(node.value).endswith("dependency_overrides")
        if is_override and origin(finds.project, full(fixture.module, node.slice)) not in sessions:  # type: ignore[attr-defined] # a Subscript
            return False
    named = [(full(fixture.module, call), call) for call in calls(fixture.node)]
    clients = [call for name, call in named if name.endswith("httpx.AsyncClient")]
    transports = [call for name, call in named if name.endswith(".ASGITransport")]
    if not clients or not all(_is_plain(call) for call in clients):
        return False
    if any({word.arg for word in call.keywords} - {"app"} for call in transports):
        return False
    asked = [keyword(call, "app") or next(iter(call.args), None) for call in transports or clients]
    return all(_is_app(finds, fixture, one, app) for one in asked)


def calls_of_decorators(fixture: Fixture) -> list[ast.Call]:
    """Its decorators, if they are called."""
    return [node for node in fixture.node.decorator_list if isinstance(node, ast.Call)]


def _is_plain(client: ast.Call) -> bool:
    base = keyword(client, "base_url")
    is_root = base is None or (isinstance(constant(base), str) and urlsplit(str(constant(base))).path in ("", "/"))
    return is_root and {word.arg for word in client.keywords} <= CLIENT_WORDS


def _is_app(finds: Finds, fixture: Fixture, node: ast.expr | None, app: Application) -> bool:
    value = _resolved(fixture, node)
    if isinstance(value, ast.Name) and value.id in fixture.arguments:
        return True
    named = origin(finds.project, full(fixture.module, value))
    return named in {path.replace(":", ".") for path in (app.place.path, app.made_by) if path}


def _given(fixture: Fixture) -> Iterator[ast.expr | None]:
    for node in own(fixture.node):
        if isinstance(node, ast.Yield | ast.Return):
            yield node.value


def _gives(finds: Finds, fixture: Fixture, value: ast.expr | None, names: set[str]) -> bool:
    found = _resolved(fixture, value)
    if not isinstance(found, ast.Call):
        return False
    return _last(found) in names or (names is SESSIONS and _is_made(finds, fixture, found))


def _resolved(fixture: Fixture, node: ast.expr | None) -> ast.expr | None:
    """What a name stands for in the fixture: what was assigned to it, or entered as it."""
    for child in own(fixture.node) if isinstance(node, ast.Name) else ():
        name, value = None, None
        if isinstance(child, ast.withitem) and child.optional_vars is not None:
            name, value = text(child.optional_vars), child.context_expr
        elif isinstance(child, ast.stmt) and (found := assigned(child)):
            name, value = found
        if name == text(node) and value is not None:
            return value.value if isinstance(value, ast.Await) else value
    return node


def _is_made(finds: Finds, fixture: Fixture, call: ast.Call) -> bool:
    """Whether it calls a session maker, of the suite's or of the application's."""
    if _last(call) in MAKERS:
        return False
    made = _resolved(fixture, call.func)
    top = next(
        (found[1] for node in fixture.module.top() if (found := assigned(node)) and found[0] == text(made)), made
    )
    makers = {one.place.path.replace(":", ".") for one in finds.session_makers}
    return _last(top) in MAKERS or origin(finds.project, full(fixture.module, call)) in makers


def is_special(fixture: Fixture) -> bool:
    """Whether a container is another service's, or an engine is set up in a way that ours is not."""
    for call in calls(fixture.node):
        if full(fixture.module, call).startswith("testcontainers.") and _last(call) != "PostgresContainer":
            return True
        if _last(call) in ENGINES and {word.arg for word in call.keywords} & ENGINE_WORDS:
            return True
    return False


def _is_value(finds: Finds, fixture: Fixture) -> bool:
    return not fixture.traits & {"generator", "async", "overrides"} and not any(_effects(finds, fixture))


def _effects(finds: Finds, fixture: Fixture) -> Iterator[ast.AST]:
    """What is done for its effect, and not known."""
    given = {text(value) for value in _given(fixture) if isinstance(value, ast.Name)}
    for statement in fixture.node.body:
        for node in ast.walk(statement):
            target = next(iter(_targets(node)), None)
            if target is not None and not _is_expected(target):
                yield target
            call = _for_effect(node, given)
            if call is not None and _last(call) not in DONE and not _is_made(finds, fixture, call):
                yield call


def _for_effect(node: ast.AST, given: set[str]) -> ast.Call | None:
    """A call that is a statement, is entered or waited for, or is handed what the tests get."""
    if isinstance(node, ast.Call) and any(text(word) in given for word in node.args):
        return node
    found = node.context_expr if isinstance(node, ast.withitem) else None
    if isinstance(node, ast.Expr | ast.Await):
        found = node.value
    return found if isinstance(found, ast.Call) else None


def _targets(node: ast.AST) -> list[ast.expr]:
    """Attributes and items that are set or deleted."""
    targets = node.targets if isinstance(node, ast.Assign | ast.Delete) else []
    if isinstance(node, ast.AugAssign | ast.AnnAssign):
        targets = [node.target]
    return [target for target in targets if isinstance(target, ast.Attribute | ast.Subscript)]


def _is_expected(target: ast.expr) -> bool:
    if isinstance(target, ast.Subscript):
        return text(target.value).endswith("dependency_overrides")
    return isinstance(target, ast.Attribute) and target.attr in (
        "__async_session__",
        "__sync_session__",
        "dependency_overrides",
    )


def _last(node: ast.AST | None) -> str:
    func = node.func if isinstance(node, ast.Call) else node
    return text(func).rpartition(".")[2]


def _reads(fixture: Fixture, name: str) -> bool:
    return any(isinstance(node, ast.Name) and node.id == name for line in fixture.node.body for node in ast.walk(line))
