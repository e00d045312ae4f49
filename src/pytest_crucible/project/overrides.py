"""The dependencies of the application that its tests override."""

from __future__ import annotations

import ast
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from .engines import SessionDependency, is_session_name
from .fixtures import Fixture
from .location import SourceLocation
from .modules import Module, Project
from .names import full, origin, path_of
from .syntax import Function, own, text

SESSION = {"session", "savepoint"}


@dataclass(frozen=True)
class SuiteOverride:
    """An entry of ``dependency_overrides`` that the tests set.

    Attributes:
        place: Its location; the dotted path is that of the dependency.
        gives_session: Whether the dependency gets a session of the tests.
        is_shared: Whether that session lives in an outer transaction, which is rolled back.
        is_async: Whether that session is an ``AsyncSession``.
        module: The module that sets it.
        gives: The variables that the overriding function returns or yields; a fixture's, if it is an argument.
    """

    place: SourceLocation
    gives_session: bool
    is_shared: bool
    is_async: bool
    module: Module
    gives: tuple[str, ...]


def overrides(
    project: Project, fixtures: Sequence[Fixture], dependencies: Sequence[SessionDependency]
) -> list[SuiteOverride]:
    """Return every override that the tests set, those of sessions first, and of these the shared ones."""
    known = {one.place.path for one in dependencies}
    modules = [module for module in project.tests if module.mentions("dependency_overrides")]
    found = [
        _override(project, module, fixtures, known, key, value)
        for module in modules
        for node in ast.walk(module.tree)
        for key, value in _entries(node)
    ]
    return sorted(found, key=lambda one: (not one.is_shared, not one.gives_session))


def _entries(node: ast.AST) -> Iterator[tuple[ast.expr, ast.expr]]:
    """Yield the keys and values that a statement or a call puts into ``dependency_overrides``."""
    if isinstance(node, ast.Assign):
        for target in node.targets:
            if isinstance(target, ast.Subscript) and text(target.value).endswith("dependency_overrides"):
                yield target.slice, node.value
        if any(text(target).endswith(".dependency_overrides") for target in node.targets):
            yield from _items(node.value)
    elif isinstance(node, ast.Call) and text(node.func).endswith("dependency_overrides.update") and node.args:
        yield from _items(node.args[0])


def _items(node: ast.expr) -> Iterator[tuple[ast.expr, ast.expr]]:
    if isinstance(node, ast.Dict):
        yield from ((key, value) for key, value in zip(node.keys, node.values, strict=True) if key is not None)


def _override(
    project: Project, module: Module, fixtures: Sequence[Fixture], known: set[str], key: ast.expr, value: ast.expr
) -> SuiteOverride:
    place = SourceLocation(path_of(project, origin(project, full(module, key))), module.path, key.lineno)
    by_name = {fixture.name: fixture for fixture in fixtures}
    gives = tuple(dict.fromkeys(_given(module, value)))
    given = [by_name[name] for name in gives if name in by_name]
    # A fixture of a user may use a session as well: the dependency says what it is.
    is_session = place.path in known or is_session_name(place.name)
    sessions = [one for one in given if is_session and one.traits & SESSION]
    above = [each for one in sessions for each in _above(one, by_name)]
    traits = frozenset[str]().union(*(one.traits for one in above))
    is_async = any("async" in one.traits or "create_async_engine" in text(one.node) for one in sessions)
    is_shared = bool(sessions) and ("savepoint" in traits or {"begin", "rollback"} <= traits)
    return SuiteOverride(place, bool(sessions), is_shared, is_async, module, gives)


def _given(module: Module, value: ast.expr) -> Iterator[str]:
    """Yield the names of the variables that the overriding function returns or yields."""
    if isinstance(value, ast.Lambda):
        yield text(value.body)
    for function in _functions(module, text(value)) if isinstance(value, ast.Name) else ():
        for node in own(function):
            if isinstance(node, ast.Yield | ast.Return | ast.YieldFrom) and node.value is not None:
                yield text(node.value)


def _functions(module: Module, name: str) -> Iterator[Function]:
    for node in ast.walk(module.tree):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef) and node.name == name:
            yield node


def _above(fixture: Fixture, by_name: dict[str, Fixture], depth: int = 5) -> Iterator[Fixture]:
    """Yield a fixture and those that it requests."""
    yield fixture
    for name in fixture.arguments if depth else ():
        if name in by_name and name != fixture.name:
            yield from _above(by_name[name], by_name, depth - 1)
