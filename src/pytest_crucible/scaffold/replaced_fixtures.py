"""Fixtures and hooks of the suite that Crucible replaces: each is named with the lines to delete; none is changed."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from collections.abc import Set as AbstractSet
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

from ..project.applications import Application
from ..project.fixtures import Fixture, without_schema
from ..project.hooks import hooks, methods
from ..project.location import SourceLocation
from ..project.names import full, origin
from ..project.sqlite_engines import sqlite_engines
from ..project.survey import Finds
from ..project.syntax import Function, assigned, calls, constant, keyword, own, text
from .choices import Choices

SHARED = {"savepoint", "rollback", "begin"}
ENGINES = {"create_engine", "create_async_engine"}
ENGINE_WORDS = {"execution_options", "json_serializer", "json_deserializer", "isolation_level"}
MAKERS = {"sessionmaker", "async_sessionmaker"}
SESSIONS = {"Session", "AsyncSession"}
CLIENT_WORDS = {"transport", "app", "base_url"}
SCHEMA = {"create_all", "drop_all", "migrates", "downgrades"}
OF_SESSIONS = ("db_session", "sync_session")
RESET = "Crucible resets the database after each test."
SHARE = (
    "Crucible's session lives in a transaction that is rolled back, and the application gets it (crucible_get_session)."
)
BUILD = "Crucible builds the schema once, in a template."
HEADING = (
    "Crucible replaces these; delete them by hand, in this order, and remove their names where they are requested:"
)
REST = "If such a fixture does more, such as inserting a row, move that to a fixture that requests Crucible's."


@dataclass(frozen=True)
class Needless:
    """A fixture or a hook that Crucible replaces.

    Attributes:
        place: Its location.
        name: The name by which it is requested.
        last: The number of its last line.
        why: The reason.
        by: The fixture of Crucible to request instead, if there is one.
        requests: The fixtures that it requests.
    """

    place: SourceLocation
    name: str
    last: int
    why: str
    by: str | None = None
    requests: tuple[str, ...] = ()

    def line(self, root: Path) -> str:
        """Return the line for the user."""
        instead = f", and request {self.by} instead" if self.by not in (None, self.name) else ""
        lines = f"delete lines {self.place.line} to {self.last}"
        return f"  {self.place.where(root)} {self.name}: {lines}{instead}. {self.why}"


def needless(finds: Finds, choices: Choices, *, has_client: bool = True) -> list[str]:
    """Return a line for each fixture and hook that Crucible replaces, below a heading; none if there is none.

    Args:
        finds: The survey of the project.
        choices: The choices for it.
        has_client: False if Crucible's client has failed in the trial, and so cannot take the place of another.
    """
    found = [one for fixture in finds.fixtures if (one := _found(finds, choices, fixture)) is not None]
    found = [one for one in found if has_client or one.by != "async_client"]
    names = {one.name for one in found}
    sessions = {one.name for one in finds.fixtures if one.traits & {"session", "savepoint"} and one.name not in names}
    # A client that shares a session which stays would leave the application without it.
    found = [one for one in found if one.by != "async_client" or sessions.isdisjoint(one.requests)]
    # Each of Crucible's is made anew for every test, and so none can take the place of what a wide fixture holds on to.
    wide = [one for one in finds.fixtures if one.scope != "function" and one.name not in {each.name for each in found}]
    held = {name for fixture in wide for name in fixture.arguments}
    found = [one for one in found if one.by is None or one.name not in held]
    root, named = finds.project.root, {one.place for one in found}
    lines = [*_sqlite(finds), *(one.line(root) for one in _hooks(finds))]
    lines += [*_methods(finds), *_partly(finds, named), *(one.line(root) for one in _ordered(found))]
    return ["", HEADING, *lines, REST] if lines else []


def _sqlite(finds: Finds) -> Iterator[str]:
    """Yield a line for each engine that speaks SQLite: what else is named relies on PostgreSQL."""
    for one in sqlite_engines(finds):
        root = finds.project.root
        where = f"  {one.place.where(root)} {one.name}"
        yield f"{where}: it speaks SQLite, which Crucible does not redirect: begin here. {one.remedy(root)}"


def _partly(finds: Finds, named: AbstractSet[SourceLocation]) -> Iterator[str]:
    """Yield a line for each other fixture that makes or drops the tables, and gives a value besides."""
    for one in finds.fixtures:
        if one.module.is_test and one.traits & SCHEMA and one.gives and one.place not in named:
            yield f"  {one.place.where(finds.project.root)} {one.name}: {one.without_schema}. {BUILD}"


def _ordered(found: list[Needless]) -> Iterator[Needless]:
    """Yield each fixture before those that it requests: what is deleted last is what others need.

    A session comes before the clients that share it with the application: they request Crucible's in its place. Without
    the client, the application would have Crucible's session, and the test still its own.
    """
    left = list(found)
    while left:
        sessions = {one.name for one in left if one.by in OF_SESSIONS}
        waiting = [one for one in left if one.by == "async_client" and not sessions.isdisjoint(one.requests)]
        requested = {name for one in left if one not in waiting for name in one.requests if name != one.name}
        free = [one for one in left if one.name not in requested and one not in waiting] or left
        yield from free
        left = [one for one in left if one not in free]


def _hooks(finds: Finds) -> Iterator[Needless]:
    """Yield the hooks of a conftest that make, migrate or clean the database."""
    for hook in hooks(finds.project):
        if why := _reason_of_schema(hook.traits):
            yield Needless(hook.place, hook.name, hook.last, why)


def _methods(finds: Finds) -> Iterator[str]:
    """Yield a line for each method of unittest's that makes the tables, or begins a transaction around the test."""
    for one in methods(finds.project):
        where = f"  {one.place.where(finds.project.root)} {one.name}"
        if one.traits & SCHEMA:
            yield f"{where}: {without_schema(one.traits)}. {_reason_of_schema(one.traits)}"
        elif one.traits & {"create_database", "container", "cleans"}:
            yield f"{where}: delete the lines that prepare or empty the database. {_reason_of_schema(one.traits)}"
        if one.is_per_test and "begin" in one.traits and one.traits & {"session", "savepoint"}:
            do = "bind the session to the engine, and delete the transaction around the test, here and where it ends"
            yield f"{where}: {do}. {RESET}"


def _found(finds: Finds, choices: Choices, fixture: Fixture) -> Needless | None:
    if not fixture.module.is_test or _is_special(fixture):
        return None
    reason = next(_reasons(finds, choices, fixture), None)
    if reason is None:
        return None
    return Needless(fixture.place, fixture.name, fixture.lines[1], *reason, requests=fixture.arguments)


def _reason_of_schema(found: AbstractSet[str]) -> str | None:
    if "create_database" in found:
        return "It runs CREATE DATABASE, which the tests' role may not; Crucible makes each database from a template."
    if "container" in found:
        return "Crucible starts a server of its own (crucible_server)."
    if found & {"migrates", "downgrades"}:
        return "Crucible migrates once, into a template (crucible_alembic)."
    if found & SCHEMA:
        return BUILD
    return RESET if "cleans" in found else None


def _reasons(finds: Finds, choices: Choices, fixture: Fixture) -> Iterator[tuple[str, str | None]]:
    """Yield the reason why it is not needed, and the fixture of Crucible to request instead, if there is one."""
    found = fixture.traits
    is_async = "async" in found or "create_async_engine" in text(fixture.node)
    session = "db_session" if is_async else "sync_session"
    if fixture.name == "event_loop":
        yield "pytest-asyncio 1.0 removed it; its loop scopes take its place.", None
    if found & {"create_database", "container"} and not found & {"session", "async client", "test client"}:
        yield _reason_of_schema(found) or BUILD, None
    if "factories" in found:
        yield "Factories are bound to the test's session without wiring.", None
    if "async client" in found and choices.app and _is_client_of(finds, choices, fixture, choices.app):
        yield "Crucible's client runs the application's lifespan, and restores overrides.", "async_client"
    if (
        found & (SHARED | SCHEMA | {"engine", "cleans"})
        and _gives_session(finds, fixture)
        and not _fills(finds, fixture)
    ):
        yield SHARE if choices.shares_session else RESET, session
    if "engine" in found and "session" not in found:
        why = "Crucible redirects every engine to the test's database, whose template contains the schema."
        yield why, "async_engine" if is_async else None
    if found & (SCHEMA | {"cleans"}) and not found & {"session", "async client", "test client"} and not fixture.gives:
        yield _reason_of_schema(found) or RESET, None


def _is_special(fixture: Fixture) -> bool:
    """Return whether the fixture has parameters, is in a class, or has a set-up that Crucible does not replace."""
    decorators = [node for node in fixture.node.decorator_list if isinstance(node, ast.Call)]
    if fixture.node.col_offset or any(keyword(one, "params") for one in decorators):
        return True
    for call in calls(fixture.node):
        if full(fixture.module, call).startswith("testcontainers.") and _last(call) != "PostgresContainer":
            return True
        words = {word.arg for word in call.keywords}
        if _last(call) in ENGINES and words & ENGINE_WORDS and "create_database" not in fixture.traits:
            return True
    return False


def _gives_session(finds: Finds, fixture: Fixture) -> bool:
    """Return whether the fixture gives tests a session."""
    given = [_resolved(fixture, node.value) for node in own(fixture.node) if isinstance(node, ast.Yield | ast.Return)]
    return bool(given) and all(_is_session(finds, fixture, value) for value in given)


def _fills(finds: Finds, fixture: Fixture) -> bool:
    """Return whether the fixture hands its session to a function of the project, which may insert rows."""
    given = {text(node.value) for node in own(fixture.node) if isinstance(node, ast.Yield | ast.Return)}
    filled = [call for call in calls(fixture.node) if any(text(argument) in given for argument in call.args)]
    return any(_is_function(finds, origin(finds.project, full(fixture.module, call))) for call in filled)


def _is_function(finds: Finds, dotted: str) -> bool:
    owner, _, name = dotted.rpartition(".")
    module = finds.project.by_name.get(owner)
    functions = (node for node in module.top() if isinstance(node, Function)) if module else ()
    return any(function.name == name for function in functions)


def _is_session(finds: Finds, fixture: Fixture, value: ast.expr | None) -> bool:
    """Return whether *value* is made by a session class, or by a session maker of the suite or of the application."""
    if not isinstance(value, ast.Call) or _last(value) in MAKERS:
        return False
    maker = _resolved(fixture, value.func)
    tops = (found for node in fixture.module.top() if (found := assigned(node)))
    maker = next((made for name, made in tops if name == text(maker)), maker)
    makers = {one.place.path.replace(":", ".") for one in finds.session_makers}
    is_made = _last(maker) in MAKERS or origin(finds.project, full(fixture.module, value)) in makers
    return is_made or _last(value) in SESSIONS


def _is_client_of(finds: Finds, choices: Choices, fixture: Fixture, app: Application) -> bool:
    """Return whether the fixture is a plain client of the application that overrides nothing but the session."""
    items = [node for node in ast.walk(fixture.node) if isinstance(node, ast.Subscript)]
    overrides = [item.slice for item in items if text(item.value).endswith("dependency_overrides")]
    overridden = {origin(finds.project, full(fixture.module, one)) for one in overrides}
    if not overridden <= _sessions(finds, choices):
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


def _sessions(finds: Finds, choices: Choices) -> set[str]:
    """Return the full names of the dependencies that need no override: under rollback isolation, one of them.

    Crucible gives the test's session to `crucible_get_session` alone. Under reset isolation every session of the
    application sees what another has committed.
    """
    shared = choices.get_session.path if choices.get_session and choices.shares_session else None
    if finds.configuration.text("crucible_isolation") == "rollback":
        shared = finds.configuration.text("crucible_get_session") or shared
    paths = [shared] if shared else [one.place.path for one in finds.session_dependencies]
    return {path.replace(":", ".") for path in paths}


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


def _resolved(fixture: Fixture, node: ast.expr | None) -> ast.expr | None:
    """Return the value of a name in the fixture: the one assigned to it, or entered under it."""
    for child in own(fixture.node) if isinstance(node, ast.Name) else ():
        name, value = None, None
        if isinstance(child, ast.withitem) and child.optional_vars is not None:
            name, value = text(child.optional_vars), child.context_expr
        elif isinstance(child, ast.stmt) and (found := assigned(child)):
            name, value = found
        if name == text(node) and value is not None:
            return value.value if isinstance(value, ast.Await) else value
    return node


def _last(node: ast.AST | None) -> str:
    return text(node.func if isinstance(node, ast.Call) else node).rpartition(".")[2]
