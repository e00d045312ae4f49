"""Users without tokens: the application's dependency that yields the current user yields whoever a client stands for.

FastAPI looks each dependency up in ``app.dependency_overrides`` for each request. There, the dependency is found only
by requests of a client that stands for somebody: several users ask at once, and strangers meet the real dependency.
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
    """The user for whom this request's client stands."""
    return CURRENT.get()


class ForUsers(dict[Any, Any]):
    """Overrides, of which one is there only for requests that come from a user."""

    def __init__(self, overrides: dict[Any, Any], dependency: Any) -> None:
        super().__init__(overrides)
        self._dependency = dependency

    def get(self, key: Any, default: Any = None) -> Any:
        """What overrides *key* for the request that is answered."""
        if key is self._dependency and CURRENT.get() is not NOBODY:
            return current_user
        return super().get(key, default)

    def __bool__(self) -> bool:
        return True

    def __contains__(self, key: object) -> bool:
        return key is self._dependency or super().__contains__(key)


@contextmanager
def impersonating(applications: Iterable[Any], dependency: Any) -> Iterator[None]:
    """In here, *dependency* yields the user of whoever asks `standing_for` one.

    Args:
        applications: The applications under test; those that are mounted in them are found.
        dependency: What the fixture ``current_user_dependency`` gives.

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
        for home, was in zip(homes, before, strict=True):
            # With what the test has overridden meanwhile: whoever did so takes it back, from the very same dictionary.
            content = dict(home.dependency_overrides)
            was.clear()
            was.update(content)
            home.dependency_overrides = was


def standing_for(application: Any, user: Any) -> Any:
    """*application* as *user* sees it while `impersonating`."""

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
            if dependant is not None and any(one.call is dependency for one in subtree(dependant)):
                return
    raise UsageError(
        f"current_user_dependency gives {dependency!r}, and no route of the application depends on it.",
        why="It is overridden for clients that stand for a user, as FastAPI overrides dependencies: by the very"
        " function in Depends(…).",
        do="Return the function that your routes depend on to get the current user.",
    )
