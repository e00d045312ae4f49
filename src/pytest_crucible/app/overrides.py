"""What applications override: ``app.dependency_overrides``, put back after every test.

A stack. What a module does when it is imported stays; what a fixture of a wider scope overrides holds as long as that
fixture; what a test and its own fixtures override is gone after it, whatever failed and whoever called ``clear()``.
`overriding` is the level on top: for a block of a test.
"""

from __future__ import annotations

import weakref
from collections.abc import Callable, Hashable, Iterable, Iterator, Mapping
from contextlib import contextmanager, suppress
from types import FunctionType, MethodType
from typing import Any, NamedTuple

from ..errors import UsageError

NOTHING = object()


class Saved(NamedTuple):
    """The overrides of one application, as they were."""

    owner: Any
    overrides: dict[Any, Any]
    content: dict[Any, Any]

    def restore(self) -> None:
        """Have them so again."""
        if self.owner.dependency_overrides is not self.overrides:
            self.owner.dependency_overrides = self.overrides
        if self.overrides != self.content:
            self.overrides.clear()
            self.overrides.update(self.content)


class Override(NamedTuple):
    """What a fixture overrides: a dependency, by what, and what was there before."""

    owner: Any
    dependency: Any
    before: Any
    after: Any

    def undo(self) -> None:
        """Have it as before, unless somebody else has changed it since."""
        if self.owner.dependency_overrides.get(self.dependency, NOTHING) is self.after:
            _put(self.owner.dependency_overrides, self.dependency, self.before)


class Overridden:
    """The overrides of all applications that this run knows.

    Args:
        configured: The applications of this run that are there now.
    """

    def __init__(self, configured: Callable[[], Iterable[Any]]) -> None:
        self._configured = configured
        self._seen: weakref.WeakSet[Any] = weakref.WeakSet()
        self._saved: list[Saved] | None = None
        self._changes: dict[Hashable, list[Override]] = {}

    @contextmanager
    def around(self) -> Iterator[None]:
        """A test: everything is overridden afterwards as it was before."""
        self._saved = self._save()
        try:
            yield
        finally:
            saved, self._saved = self._saved, None
            for one in saved:
                one.restore()

    def learn(self) -> None:
        """There may be an application more: what it overrides now holds beyond the running test."""
        if self._saved is not None:
            known = {id(saved.owner) for saved in self._saved}
            self._saved += [saved for saved in self._save() if id(saved.owner) not in known]

    @contextmanager
    def coming_up(self, fixture: Hashable) -> Iterator[Callable[[object], None]]:
        """A fixture of a wider scope is set up: what it overrides holds until it is `gone`.

        Yields:
            What the fixture's value is given to: it may be an application, or a client of one.
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
        """A fixture of a wider scope is torn down: undo what it left overridden."""
        for change in self._changes.pop(fixture, ()):
            change.undo()

    def _see(self, value: object) -> None:
        for found in (value, getattr(value, "app", None)):
            if isinstance(getattr(found, "dependency_overrides", None), dict):
                with suppress(TypeError):  # it cannot be referred to weakly
                    self._seen.add(found)

    def _save(self) -> list[Saved]:
        known = {id(app): app for app in (*self._configured(), *self._seen)}
        found = {id(owner): owner for app in known.values() for owner in owners(app)}
        return [Saved(owner, owner.dependency_overrides, dict(owner.dependency_overrides)) for owner in found.values()]


def owners(application: Any) -> list[Any]:
    """*application* and those that are mounted in it or that it wraps, as far as they have overrides."""
    found: list[Any] = []
    _collect(application, found, set())
    return found


@contextmanager
def overriding(application: Any, replacements: Mapping[Any, Callable[..., Any]]) -> Iterator[None]:
    """Within the block, *application* and what is mounted in it get *replacements* for their dependencies.

    >>> with overriding(app, {current_user: lambda: ada}):
    ...     response = client.get("/me")

    Args:
        application: A FastAPI application, or what is wrapped around one.
        replacements: What to call in place of each dependency.

    Raises:
        UsageError: If the application has no overrides, or a replacement cannot be called.
    """
    homes = [owner.dependency_overrides for owner in owners(application)]
    if not homes:
        raise UsageError(
            f"The application is {type(application).__name__} and has no dependency_overrides.",
            why="Only FastAPI's applications have dependencies to override.",
            do="Give overriding() the FastAPI application, or replace what you mean with monkeypatch.",
        )
    for dependency, replacement in replacements.items():
        if not callable(replacement):
            raise UsageError(
                f"{_named(dependency)} is overridden with {replacement!r}, which cannot be called.",
                why="FastAPI calls what stands in for a dependency, as it calls the dependency.",
                do=f"Write {{{_named(dependency)}: lambda: …}}.",
            )
    before = [dict(home) for home in homes]
    for home in homes:
        home.update(replacements)
    try:
        yield
    finally:
        for home, was in zip(homes, before, strict=True):
            for dependency in replacements:
                _put(home, dependency, was.get(dependency, NOTHING))
            # Also what was cleared meanwhile: suites call dependency_overrides.clear().
            home |= {key: value for key, value in was.items() if key not in home}


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


def _collect(application: Any, found: list[Any], seen: set[int]) -> None:
    if id(application) in seen:
        return
    seen.add(id(application))
    if isinstance(getattr(application, "dependency_overrides", None), dict):
        found.append(application)
    # Middleware around the application, and applications mounted in it.
    inner = [getattr(application, "app", None)]
    inner += [getattr(route, "app", None) for route in getattr(application, "routes", None) or ()]
    for one in inner:
        if one is not None and not isinstance(one, FunctionType | MethodType):
            _collect(one, found, seen)
