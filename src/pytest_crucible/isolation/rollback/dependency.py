"""The application's session dependency, overridden to give out the test's session."""

from __future__ import annotations

import inspect
from collections.abc import Iterable, Iterator
from contextlib import ExitStack, contextmanager
from typing import Any

from ...app import overrides
from ...errors import UsageError
from ...sessions.sessionmakers import is_asynchronous
from ...settings import Settings
from ...settings.lookup import lookup


@contextmanager
def overriding(applications: Iterable[Any], dependency: Any, session: Any) -> Iterator[None]:
    """*dependency* gives out *session* in here; afterwards, everything is overridden as it was before.

    Raises:
        UsageError: If an application has no overrides.
    """

    async def give() -> Any:
        return session

    with ExitStack() as stack:
        for application in applications:
            if not overrides.owners(application):
                raise _nothing_to_override(application)
            stack.enter_context(overrides.overriding(application, {dependency: give}))
        yield


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
    if (makes := is_asynchronous(dependency)) is not None:
        return "db_session" if makes else "sync_session"
    asked = {"db_session", "sync_session"} & set(requested)
    return asked.pop() if len(asked) == 1 else "sync_session"


def _nothing_to_override(application: Any) -> UsageError:
    return UsageError(
        f"crucible_get_session: the application is {type(application).__name__} and has no dependency_overrides.",
        why="In rollback isolation the session is handed to the application as FastAPI's tests do it, by"
        " overriding a dependency.",
        do='Drop crucible_get_session and write crucible_isolation = "reset": it needs nothing of the application.',
    )
