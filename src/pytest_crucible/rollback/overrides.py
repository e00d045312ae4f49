"""The application's session dependency, overridden to give out the test's session."""

from __future__ import annotations

import inspect
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from typing import Any

from ..errors import UsageError
from ..lookup import lookup
from ..settings import Settings

Overrides = dict[Any, Any]


@contextmanager
def overriding(applications: Iterable[Any], dependency: Any, session: Any) -> Iterator[None]:
    """*dependency* gives out *session* in here; afterwards, everything is overridden as it was before.

    Raises:
        UsageError: If an application has no overrides.
    """
    homes = [home for application in applications for home in _homes(application)]
    before = [dict(home) for home in homes]

    async def give() -> Any:
        return session

    for home in homes:
        home[dependency] = give
    try:
        yield
    finally:
        for home, was in zip(homes, before, strict=True):
            if dependency not in was:
                home.pop(dependency, None)
            # Also what was cleared meanwhile: suites call dependency_overrides.clear().
            home |= {key: value for key, value in was.items() if key == dependency or key not in home}


def dependency_of(settings: Settings) -> Any:
    """What ``crucible_get_session`` names, or None if it is not set."""
    if settings.get_session is None:
        return None
    return lookup(settings.get_session, option="crucible_get_session", root=settings.root)


def fixture_for(dependency: Any, requested: Iterable[str]) -> str:
    """The fixture whose session *dependency* shall give out.

    Args:
        dependency: The function that the application depends on.
        requested: The fixtures that the test requests.
    """
    if inspect.isasyncgenfunction(dependency) or inspect.iscoroutinefunction(dependency):
        return "db_session"
    named = str(inspect.signature(dependency).return_annotation) if callable(dependency) else ""
    if "Session" in named:
        return "db_session" if "AsyncSession" in named else "sync_session"
    asked = {"db_session", "sync_session"} & set(requested)
    return asked.pop() if len(asked) == 1 else "sync_session"


def _homes(application: Any) -> list[Overrides]:
    """The overrides of *application* and of those that are mounted in it."""
    found: list[Overrides] = []
    _collect(application, found, set())
    if not found:
        raise UsageError(
            f"crucible_get_session: the application is {type(application).__name__} and has no dependency_overrides.",
            why="In rollback isolation the session is handed to the application as FastAPI's tests do it, by"
            " overriding a dependency.",
            do='Drop crucible_get_session and write crucible_isolation = "reset": it needs nothing of the application.',
        )
    return found


def _collect(application: Any, found: list[Overrides], seen: set[int]) -> None:
    if id(application) in seen:
        return
    seen.add(id(application))
    overrides = getattr(application, "dependency_overrides", None)
    if isinstance(overrides, dict):
        found.append(overrides)
    # Middleware around the application, and applications mounted in it.
    inner = [getattr(application, "app", None)]
    inner += [getattr(route, "app", None) for route in getattr(application, "routes", None) or ()]
    for one in inner:
        if one is not None and not inspect.isroutine(one):
            _collect(one, found, seen)
