"""Users without tokens: the dependency for the current user yields the user that the client stands for.

FastAPI looks each dependency up in ``app.dependency_overrides`` for each request. The override is visible only to
requests of a client that stands for a user. So several users can send requests at the same time, and a client without
credentials still meets the real dependency.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any

from ..app.overrides import owners
from ..errors import UsageError
from .routes import dependant_of, routes_of, subtree

NOBODY = object()
CURRENT: ContextVar[Any] = ContextVar("crucible_user", default=NOBODY)


async def current_user() -> Any:
    """Return the user that this request's client stands for."""
    return CURRENT.get()


class ForUsers(dict[Any, Any]):
    """Dependency overrides, one of which is visible only to requests that come from a user."""

    def __init__(self, overrides: dict[Any, Any], dependency: Any) -> None:
        super().__init__(overrides)
        self._dependency = dependency

    def get(self, key: Any, default: Any = None) -> Any:
        """Return the override of *key* for the current request."""
        if key is self._dependency and CURRENT.get() is not NOBODY:
            return current_user
        return super().get(key, default)

    def __bool__(self) -> bool:
        return True

    def __contains__(self, key: object) -> bool:
        return key is self._dependency or super().__contains__(key)


@contextmanager
def impersonating(applications: Iterable[Any], dependency: Any) -> Iterator[None]:
    """Let *dependency* yield the user of each request that `standing_for` sends.

    Args:
        applications: The applications under test; those that are mounted in them are found.
        dependency: The value of the fixture ``current_user_dependency``.

    Raises:
        UsageError: If no route depends on it.
    """
    homes = [home for application in applications for home in owners(application)]
    _check(homes, dependency)
    before = [home.dependency_overrides for home in homes]
    for home in homes:
        home.dependency_overrides = ForUsers(home.dependency_overrides, dependency)
    try:
        yield
    finally:
        for home, original in zip(homes, before, strict=True):
            # Keep what the test has overridden meanwhile: the test removes it later from this same dictionary.
            content = dict(home.dependency_overrides)
            original.clear()
            original.update(content)
            home.dependency_overrides = original


def standing_for(application: Any, user: Any) -> Any:
    """Return *application* as *user* sees it while `impersonating`."""

    async def as_user(scope: Any, receive: Any, send: Any) -> None:
        before = CURRENT.set(user)
        try:
            await application(scope, receive, send)
        finally:
            CURRENT.reset(before)

    return as_user


def _check(homes: Iterable[Any], dependency: Any) -> None:
    for home in homes:
        for route in routes_of(home):
            dependant = dependant_of(route.source)
            if dependant is not None and any(part.call is dependency for part in subtree(dependant)):
                return
    raise UsageError(
        f"current_user_dependency returns {dependency!r}, but no route of the application depends on it.",
        why="It is overridden for clients that stand for a user, and FastAPI overrides a dependency only by the same"
        " function as in Depends(…).",
        do="Return the function that your routes depend on to get the current user.",
    )
