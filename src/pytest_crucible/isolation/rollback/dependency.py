"""The override of the application's session dependency, which returns the test's session."""

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
    """Override *dependency* with *session* in the block; restore the overrides afterwards.

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
    """Return the object that ``crucible_get_session`` names, or None if it is not set."""
    if settings.get_session is None:
        return None
    return lookup(settings.get_session, option="crucible_get_session", root=settings.root)


def fixture_for(dependency: Any, requested: Iterable[str]) -> str:
    """Return the name of the fixture whose session replaces that of *dependency*."""
    if inspect.isasyncgenfunction(dependency) or inspect.iscoroutinefunction(dependency):
        return "db_session"
    annotation = str(inspect.signature(dependency).return_annotation) if callable(dependency) else ""
    if "Session" in annotation:
        return "db_session" if "AsyncSession" in annotation else "sync_session"
    if (is_async := is_asynchronous(dependency)) is not None:
        return "db_session" if is_async else "sync_session"
    sessions = {"db_session", "sync_session"} & set(requested)
    return sessions.pop() if len(sessions) == 1 else "sync_session"


def _nothing_to_override(application: Any) -> UsageError:
    return UsageError(
        f"crucible_get_session: the application is {type(application).__name__} and has no dependency_overrides.",
        why="In rollback isolation the application gets the test's session as in FastAPI's own tests: by overriding a"
        " dependency.",
        do='Remove crucible_get_session and write crucible_isolation = "reset": it needs no dependency.',
    )
