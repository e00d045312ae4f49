"""Fixtures of the suite that Crucible replaces: each is named with the lines to delete; none is changed."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from urllib.parse import urlsplit

from ..project import Finds
from ..project.applications import Application
from ..project.fixtures import Fixture
from ..project.names import full, origin
from ..project.syntax import assigned, calls, constant, keyword, own, text
from .choices import Choices

SHARED = {"savepoint", "rollback", "begin"}
ENGINES = {"create_engine", "create_async_engine"}
ENGINE_WORDS = {"execution_options", "json_serializer", "json_deserializer", "isolation_level"}
MAKERS = {"sessionmaker", "async_sessionmaker"}
SESSIONS = {"Session", "AsyncSession"}
CLIENT_WORDS = {"transport", "app", "base_url"}
RESET = (
    'Crucible resets the database after each test; with crucible_isolation = "rollback" the application sees rows that'
    " are only flushed."
)
REST = "If such a fixture does more, such as inserting a row, move that to a fixture that requests Crucible's."


def needless(finds: Finds, choices: Choices) -> list[str]:
    """Return a line for each fixture that Crucible replaces, below a heading; an empty list if there is none."""
    lines = [
        _line(finds, fixture, *found[0]) for fixture in finds.fixtures if (found := _found(finds, choices, fixture))
    ]
    return ["", "Crucible replaces these fixtures; delete them by hand:", *lines, REST] if lines else []


def _found(finds: Finds, choices: Choices, fixture: Fixture) -> list[tuple[str, str | None]]:
    if not fixture.module.is_test or _is_special(fixture):
        return []
    return list(_reasons(finds, choices, fixture))


def _line(finds: Finds, fixture: Fixture, why: str, by: str | None) -> str:
    first, last = fixture.lines
    instead = f", and request {by} instead" if by not in (None, fixture.name) else ""
    return f"  {fixture.place.where(finds.project.root)} {fixture.name}: delete lines {first} to {last}{instead}. {why}"


def _reasons(finds: Finds, choices: Choices, fixture: Fixture) -> Iterator[tuple[str, str | None]]:
    """Yield the reason why it is not needed, and the fixture of Crucible to request instead, if there is one."""
    traits = fixture.traits
    is_async = "async" in traits or "create_async_engine" in text(fixture.node)
    if fixture.name == "event_loop":
        yield "pytest-asyncio 1.0 removed it; the configuration sets the loop scopes now.", None
    if _creates_database(fixture):
        yield "It runs CREATE DATABASE; Crucible makes each database from a template.", None
    if "container" in traits:
        yield "Crucible starts a server of its own (crucible_server).", None
    if "factories" in traits:
        yield "Factories are bound to the test's session without wiring.", None
    if "async client" in traits and choices.app and _is_client_of(finds, fixture, choices.app):
        yield "Crucible's client runs the application's lifespan, and restores overrides.", "async_client"
    if traits & SHARED and "engine" not in traits and _gives_session(finds, fixture):
        yield RESET, "db_session" if is_async else "sync_session"
    if "engine" in traits and "session" not in traits:
        why = "Crucible redirects every engine to the test's database, whose template contains the schema."
        yield why, "async_engine" if is_async else None
    if fixture.autouse and "create_all" in traits and "session" not in traits:
        yield "Crucible builds the schema once, in a template.", None


def _is_special(fixture: Fixture) -> bool:
    """Return whether the fixture has parameters, is in a class, or has a set-up that Crucible does not replace."""
    decorators = [node for node in fixture.node.decorator_list if isinstance(node, ast.Call)]
    if fixture.node.col_offset or any(keyword(one, "params") for one in decorators):
        return True
    for call in calls(fixture.node):
        if full(fixture.module, call).startswith("testcontainers.") and _last(call) != "PostgresContainer":
            return True
        words = {word.arg for word in call.keywords}
        if _last(call) in ENGINES and words & ENGINE_WORDS and not _creates_database(fixture):
            return True
    return False


def _creates_database(fixture: Fixture) -> bool:
    strings = (node.value for node in ast.walk(fixture.node) if isinstance(node, ast.Constant))
    return any("create database" in value.lower() for value in strings if isinstance(value, str))


def _gives_session(finds: Finds, fixture: Fixture) -> bool:
    """Return whether the fixture gives tests a session."""
    given = [_resolved(fixture, node.value) for node in own(fixture.node) if isinstance(node, ast.Yield | ast.Return)]
    return bool(given) and all(_is_session(finds, fixture, value) for value in given)


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


def _is_client_of(finds: Finds, fixture: Fixture, app: Application) -> bool:
    """Return whether the fixture is a plain client of the application that overrides nothing but the session."""
    sessions = {one.place.path.replace(":", ".") for one in finds.session_dependencies}
    items = [node for node in ast.walk(fixture.node) if isinstance(node, ast.Subscript)]
    overrides = [item.slice for item in items if text(item.value).endswith("dependency_overrides")]
    if any(origin(finds.project, full(fixture.module, one)) not in sessions for one in overrides):
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
