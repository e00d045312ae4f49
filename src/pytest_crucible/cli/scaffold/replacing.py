"""Fixtures of the suite that Crucible takes the place of: which, why, and what the module is without them."""

from __future__ import annotations

import ast
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from ...project import Finds
from ...project.imports import full, origin
from ...project.suites import Fixture
from ...project.syntax import calls, constant, keyword, text
from . import editing
from .changes import Draft
from .choices import Choices

SHARED = {"savepoint", "rollback", "begin"}
# What a client may be made with, and still be what Crucible's is.
CLIENT_WORDS = {"transport", "app", "base_url", "follow_redirects"}


@dataclass(frozen=True)
class Replacement:
    """One fixture that goes, or stays as another name for one of Crucible's.

    Attributes:
        fixture: The fixture.
        why: What takes its place.
        by: The fixture of Crucible's that it becomes another name for, since tests ask for it; None to delete it.
    """

    fixture: Fixture
    why: str
    by: str | None = None

    def line(self, finds: Finds) -> str:
        """What is said of it."""
        what = f"becomes another name for {self.by}" if self.by else "goes"
        return f"{self.fixture.place.where(finds.project.root)} {self.fixture.name} {what}: {self.why}"


def replacements(finds: Finds, choices: Choices) -> list[Replacement]:
    """Every fixture that nothing is lost with: whoever still asks for it gets Crucible's."""
    tests = [fixture for fixture in finds.fixtures if fixture.module.is_test]
    planned = {fixture: one for fixture in tests if (one := next(_suggested(finds, choices, fixture), None))}
    users = _users(finds)
    while True:
        stays = [one for one in planned.values() if one.by is None and _is_needed(one.fixture, users, planned)]
        if not stays:
            break
        for one in stays:
            del planned[one.fixture]
    return [_settled(one, users, planned) for one in planned.values()]


def shares_a_transaction(found: Iterable[Replacement]) -> bool:
    """Whether test and application shared a transaction that was rolled back, and saw each other's flushed rows."""
    return any("session" in one.fixture.traits and one.fixture.traits & SHARED for one in found)


def replace(draft: Draft, found: Iterable[Replacement]) -> None:
    """Take the fixtures out of their modules in *draft*, and the imports that only they needed."""
    by_file: dict[object, list[Replacement]] = {}
    for one in found:
        by_file.setdefault(one.fixture.module.path, []).append(one)
    for group in by_file.values():
        path = group[0].fixture.module.path
        edits = {one.fixture.lines: _alias(one) if one.by else "" for one in group}
        draft.put(path, editing.without(draft.read(path) or "", edits))


def _suggested(finds: Finds, choices: Choices, fixture: Fixture) -> Iterator[Replacement]:
    """What Crucible has in its place; `Replacement.by` is its fixture, whether it is needed or not yet known."""
    traits = fixture.traits
    is_async = "async" in traits or "create_async_engine" in text(fixture.node)
    if fixture.name == "event_loop":
        yield Replacement(fixture, "pytest-asyncio 1.0 removed it; the loop scopes of the configuration say it now.")
    if "container" in traits:
        yield Replacement(fixture, "Crucible has a server of its own (crucible_server).")
    if "factories" in traits:
        yield Replacement(fixture, "factories are bound to the test's session without wiring.")
    if "async client" in traits and choices.app is not None and _is_plain_client(finds, fixture):
        yield Replacement(fixture, "the application's lifespan runs, and overrides are put back.", "async_client")
    if "session" in traits and traits & SHARED and "engine" not in traits:
        yield Replacement(fixture, "what a test writes is put back.", "db_session" if is_async else "sync_session")
    if "engine" in traits and "session" not in traits:
        why = "every engine leads to the test's database, and the schema is in its template."
        yield Replacement(fixture, why, "async_engine" if is_async else None)
    if fixture.autouse and "create_all" in traits and "session" not in traits:
        yield Replacement(fixture, "the schema is in the template, built once.")


def _is_plain_client(finds: Finds, fixture: Fixture) -> bool:
    """Whether it is a client like Crucible's, with no override but that of the session."""
    sessions = {one.place.path.replace(":", ".") for one in finds.session_dependencies}
    for node in ast.walk(fixture.node):
        is_override = isinstance(node, ast.Subscript) and text(node.value).endswith("dependency_overrides")
        if is_override and origin(finds.project, full(fixture.module, node.slice)) not in sessions:  # type: ignore[attr-defined] # a Subscript
            return False
    clients = [call for call in calls(fixture.node) if full(fixture.module, call).endswith("httpx.AsyncClient")]
    return bool(clients) and all({word.arg for word in call.keywords} <= CLIENT_WORDS for call in clients)


def _users(finds: Finds) -> dict[str, set[ast.AST]]:
    """The functions that ask for each fixture, by its name; a use that is no argument counts for its module."""
    users: dict[str, set[ast.AST]] = {}
    for module in finds.project.tests:
        for node in ast.walk(module.tree):
            if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
                for argument in (*node.args.posonlyargs, *node.args.args, *node.args.kwonlyargs):
                    users.setdefault(argument.arg, set()).add(node)
            elif isinstance(node, ast.Call) and text(node.func).endswith(("usefixtures", "getfixturevalue")):
                for name in filter(None, map(constant, node.args)):
                    users.setdefault(str(name), set()).add(module.tree)
    return users


def _is_needed(fixture: Fixture, users: dict[str, set[ast.AST]], planned: dict[Fixture, Replacement]) -> bool:
    return bool(users.get(fixture.name, set()) - {one.node for one in planned})


def _settled(one: Replacement, users: dict[str, set[ast.AST]], planned: dict[Fixture, Replacement]) -> Replacement:
    """Another name only where one is needed."""
    if one.by in (None, one.fixture.name) or not _is_needed(one.fixture, users, planned):
        return Replacement(one.fixture, one.why)
    return one


def _alias(one: Replacement) -> str:
    scope = '(scope="session")' if one.by == "async_engine" else ""
    name = one.fixture.node.name
    given = keyword(decorator, "name") if (decorator := _call(one.fixture)) else None
    words = f"(name={text(given)})" if given is not None else scope
    return f"@pytest.fixture{words}\ndef {name}({one.by}):\n    return {one.by}\n"


def _call(fixture: Fixture) -> ast.Call | None:
    return next((node for node in fixture.node.decorator_list if isinstance(node, ast.Call)), None)


def kept(finds: Finds, found: Iterable[Replacement]) -> Iterator[str]:
    """What looks replaceable and is not, since something else needs it."""
    gone = {one.fixture for one in found}
    for fixture in finds.fixtures:
        if "container" in fixture.traits and fixture not in gone:
            yield f"{fixture.place.where(finds.project.root)} {fixture.name} stays: tests or other fixtures need it."
