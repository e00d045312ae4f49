"""The applications' ``dependency_overrides``, restored after every test.

They form a stack. Overrides that a module sets at import stay; those of a fixture of a wider scope last as long as the
fixture; those of a test and its own fixtures end with it, even if it failed or code called ``clear()``. `overriding` is
the level on top: for a block of a test.
"""

from __future__ import annotations

import weakref
from collections.abc import Callable, Hashable, Iterator, Mapping
from contextlib import contextmanager, suppress
from types import FunctionType, MethodType
from typing import TYPE_CHECKING, Any, NamedTuple

from ..errors import UsageError

if TYPE_CHECKING:
    from .applications import Applications

NOTHING = object()


class Saved(NamedTuple):
    """The overrides of one application, as they were."""

    owner: Any
    overrides: dict[Any, Any]
    content: dict[Any, Any]

    def restore(self) -> None:
        """Restore them."""
        if self.owner.dependency_overrides is not self.overrides:
            self.owner.dependency_overrides = self.overrides
        if self.overrides != self.content:
            self.overrides.clear()
            self.overrides.update(self.content)


class Override(NamedTuple):
    """One override by a fixture: the dependency, and its values before and after."""

    owner: Any
    dependency: Any
    before: Any
    after: Any

    def undo(self) -> None:
        """Restore the value before, unless other code has changed it since."""
        if self.owner.dependency_overrides.get(self.dependency, NOTHING) is self.after:
            _put(self.owner.dependency_overrides, self.dependency, self.before)


class DependencyOverrides:
    """The overrides of all applications that this run knows."""

    def __init__(self, applications: Applications) -> None:
        self._applications = applications
        self._seen: weakref.WeakSet[Any] = weakref.WeakSet()
        self._saved: list[Saved] | None = None
        self._changes: dict[Hashable, list[Override]] = {}

    @contextmanager
    def restored(self) -> Iterator[None]:
        """Run a test in the block; restore all overrides afterwards."""
        self._saved = self._save()
        try:
            yield
        finally:
            saved, self._saved = self._saved, None
            for overrides in saved:
                overrides.restore()

    def learn(self) -> None:
        """Look for new applications, whose present overrides outlast the running test."""
        if self._saved is not None:
            known = {id(saved.owner) for saved in self._saved}
            self._saved += [saved for saved in self._save() if id(saved.owner) not in known]

    @contextmanager
    def coming_up(self, fixture: Hashable) -> Iterator[Callable[[object], None]]:
        """Set up a fixture of a wider scope in the block; its overrides hold until it is `gone`.

        Yields:
            A function that takes the fixture's value, which may be an application, or a client of one.
        """
        before = self._save()
        yield self._see
        changes = [change for saved in before for change in _changes(saved)]
        if changes:
            self._changes[fixture] = changes
            for saved in self._saved or ():
                for change in changes:
                    if saved.owner is change.owner:
                        _put(saved.content, change.dependency, change.after)
        self.learn()

    def gone(self, fixture: Hashable) -> None:
        """Undo the overrides that a fixture of a wider scope, which was torn down, has left."""
        for change in self._changes.pop(fixture, ()):
            change.undo()

    def _see(self, value: object) -> None:
        for candidate in (value, getattr(value, "app", None)):
            if isinstance(getattr(candidate, "dependency_overrides", None), dict):
                with suppress(TypeError):  # it does not support weak references
                    self._seen.add(candidate)

    def _save(self) -> list[Saved]:
        known = {id(app): app for app in (*self._applications.all(), *self._seen)}
        unique = {id(owner): owner for app in known.values() for owner in owners(app)}
        return [Saved(owner, owner.dependency_overrides, dict(owner.dependency_overrides)) for owner in unique.values()]


def owners(application: Any) -> list[Any]:
    """Return *application* and those mounted in it or wrapped by it, as far as they have overrides."""
    applications: list[Any] = []
    _collect(application, applications, set())
    return applications


@contextmanager
def overriding(application: Any, replacements: Mapping[Any, Callable[..., Any]]) -> Iterator[None]:
    """Replace dependencies of *application*, and of those mounted in it, within the block.

    >>> with overriding(app, {current_user: lambda: ada}):
    ...     response = client.get("/me")

    Args:
        application: A FastAPI application, or a wrapper around one.
        replacements: The callables that replace the dependencies.

    Raises:
        UsageError: If the application has no overrides, or a replacement cannot be called.
    """
    homes = [owner.dependency_overrides for owner in owners(application)]
    _check(application, homes, replacements)
    before = [dict(home) for home in homes]
    for home in homes:
        home.update(replacements)
    try:
        yield
    finally:
        for home, saved in zip(homes, before, strict=True):
            for dependency in replacements:
                _put(home, dependency, saved.get(dependency, NOTHING))
            # Also overrides that were cleared in the block: suites call dependency_overrides.clear().
            home |= {key: value for key, value in saved.items() if key not in home}


def _check(application: Any, homes: list[dict[Any, Any]], replacements: Mapping[Any, object]) -> None:
    if not homes:
        raise UsageError(
            f"The application is {type(application).__name__} and has no dependency_overrides.",
            why="Only FastAPI's applications have dependencies to override.",
            do="Pass the FastAPI application to overriding(), or replace the object with monkeypatch.",
        )
    for dependency, replacement in replacements.items():
        if not callable(replacement):
            raise UsageError(
                f"{_named(dependency)} is overridden with {replacement!r}, which cannot be called.",
                why="FastAPI calls an override as it calls the dependency itself.",
                do=f"Write {{{_named(dependency)}: lambda: …}}.",
            )


def _changes(saved: Saved) -> Iterator[Override]:
    now = saved.owner.dependency_overrides
    for dependency in {**saved.content, **now}:
        before, after = saved.content.get(dependency, NOTHING), now.get(dependency, NOTHING)
        if before is not after:
            yield Override(saved.owner, dependency, before, after)


def _put(home: dict[Any, Any], dependency: Any, value: Any) -> None:
    if value is NOTHING:
        home.pop(dependency, None)
    else:
        home[dependency] = value


def _named(dependency: Any) -> str:
    return getattr(dependency, "__qualname__", None) or repr(dependency)


def _collect(application: Any, applications: list[Any], seen: set[int]) -> None:
    if id(application) in seen:
        return
    seen.add(id(application))
    if isinstance(getattr(application, "dependency_overrides", None), dict):
        applications.append(application)
    # Middleware around the application, and applications mounted in it.
    inner = [getattr(application, "app", None)]
    inner += [getattr(route, "app", None) for route in getattr(application, "routes", None) or ()]
    for candidate in inner:
        if candidate is not None and not isinstance(candidate, FunctionType | MethodType):
            _collect(candidate, applications, seen)
