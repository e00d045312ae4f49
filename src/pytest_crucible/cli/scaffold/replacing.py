"""Fixtures of the suite that Crucible takes the place of: which, why, and what the module is without them."""

from __future__ import annotations

import ast
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from ...project import Finds
from ...project.imports import imported
from ...project.suites import Fixture
from ...project.syntax import constant, keyword, text
from . import editing, faithful, python
from .changes import Draft
from .choices import Choices
from .suite import OURS

SHARED = {"savepoint", "rollback", "begin"}
PUT_BACK = "what a test writes is put back."


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
    while stays := [one.fixture for one in planned.values() if _stays(finds, one, users, planned)]:
        for fixture in stays:
            del planned[fixture]
    return [_settled(one, users, planned) for one in planned.values()]


def _stays(finds: Finds, one: Replacement, users: dict[str, set[ast.AST]], planned: dict[Fixture, Replacement]) -> bool:
    """Whether somebody needs it, what it asks for does more than ours, or a fixture of theirs hides ours."""
    if one.by is None and _is_needed(one.fixture, users, planned):
        return True
    hidden = {fixture.name for fixture in finds.fixtures if fixture not in planned}
    free = ({fixture.name for fixture in planned} | OURS | {"event_loop", "anyio_backend"}) - hidden
    return one.by in hidden or not faithful.has_only(finds, one.fixture, free)


def shares_a_transaction(found: Iterable[Replacement]) -> bool:
    """Whether test and application shared a transaction that was rolled back, and saw each other's flushed rows."""
    return any(one.why == PUT_BACK for one in found)


def replace(draft: Draft, found: Iterable[Replacement]) -> None:
    """Take the fixtures out of their modules in *draft*, and the imports that only they needed."""
    by_file: dict[object, list[Replacement]] = {}
    for one in found:
        by_file.setdefault(one.fixture.module.path, []).append(one)
    for group in by_file.values():
        path = group[0].fixture.module.path
        edits = {one.fixture.lines: _alias(one) if one.by else "" for one in group}
        source = editing.without(draft.read(path) or "", edits)
        lacks = any(edits.values()) and imported(group[0].fixture.module).get("pytest") != "pytest"
        draft.put(path, python.with_import(source, "import pytest") if lacks else source)


def _suggested(finds: Finds, choices: Choices, fixture: Fixture) -> Iterator[Replacement]:
    """What Crucible has in its place, if that is all that it does."""
    return (one for one in _similar(finds, choices, fixture) if faithful.is_faithful(finds, fixture, one.by))


def _similar(finds: Finds, choices: Choices, fixture: Fixture) -> Iterator[Replacement]:
    """What Crucible has in its place; `Replacement.by` is its fixture, whether it is needed or not yet known."""
    traits = fixture.traits
    is_async = "async" in traits or "create_async_engine" in text(fixture.node)
    if fixture.name == "event_loop":
        yield Replacement(fixture, "pytest-asyncio 1.0 removed it; the loop scopes of the configuration say it now.")
    if "container" in traits:
        yield Replacement(fixture, "Crucible has a server of its own (crucible_server).")
    if "factories" in traits:
        yield Replacement(fixture, "factories are bound to the test's session without wiring.")
    if "async client" in traits and choices.app and faithful.is_client_of(finds, fixture, choices.app):
        yield Replacement(fixture, "the application's lifespan runs, and overrides are put back.", "async_client")
    if traits & SHARED and "engine" not in traits and faithful.gives_session(finds, fixture):
        yield Replacement(fixture, PUT_BACK, "db_session" if is_async else "sync_session")
    if "engine" in traits and "session" not in traits:
        why = "every engine leads to the test's database, and the schema is in its template."
        yield Replacement(fixture, why, "async_engine" if is_async else None)
    if fixture.autouse and "create_all" in traits and "session" not in traits:
        yield Replacement(fixture, "the schema is in the template, built once.")


def _users(finds: Finds) -> dict[str, set[ast.AST]]:
    """The functions that ask for each fixture, by its name; a use that is no argument counts for its module."""
    users: dict[str, set[ast.AST]] = {name: {ast.Module([], [])} for name in finds.configuration.words("usefixtures")}
    homes = {fixture.module.path.stem for fixture in finds.fixtures}
    for module in finds.project.tests:
        for node in ast.walk(module.tree):
            if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
                for argument in (*node.args.posonlyargs, *node.args.args, *node.args.kwonlyargs):
                    users.setdefault(argument.arg, set()).add(node)
            elif isinstance(node, ast.Call | ast.ImportFrom):
                for name in _named(node, homes):
                    users.setdefault(name, set()).add(module.tree)
    return users


def _named(node: ast.Call | ast.ImportFrom, homes: set[str]) -> Iterator[str]:
    """The fixtures that are asked for by name, and those that another module hands on."""
    if isinstance(node, ast.ImportFrom):
        yield from (alias.name for alias in node.names if (node.module or "").rpartition(".")[2] in homes)
    elif text(node.func).endswith(("usefixtures", "getfixturevalue")):
        yield from (str(name) for name in map(constant, node.args) if name)
    elif text(node.func).endswith("parametrize"):  # fixtures to be asked for by a test, and indirect arguments
        words = (constant(child) for argument in (*node.args, *node.keywords) for child in ast.walk(argument))
        yield from (name.strip() for word in words if isinstance(word, str) for name in word.split(","))


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
    given = next(filter(None, (keyword(call, "name") for call in faithful.calls_of_decorators(one.fixture))), None)
    words = f"(name={text(given)})" if given is not None else scope
    return f"@pytest.fixture{words}\ndef {name}({one.by}):\n    return {one.by}\n"


def kept(finds: Finds, found: Iterable[Replacement]) -> Iterator[str]:
    """What looks replaceable and is not, since something else needs it."""
    gone = {one.fixture for one in found}
    for fixture in finds.fixtures:
        if "container" in fixture.traits and fixture not in gone and not faithful.is_special(fixture):
            yield f"{fixture.place.where(finds.project.root)} {fixture.name} stays: tests or other fixtures need it."
