"""Lifespans that a project's own wide fixtures run.

One that was shut down for a fresh clone (see `database_users`) is started up after it, like Crucible's own, on the loop
on which its fixture has started it. Its start-up rows are a layer of the fixture, and are written anew.

If that is impossible, the tests that use the fixture fail, and the error says why.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import contextmanager

from ..errors import ApplicationError
from ..redirect import LIFESPAN, Redirect
from .database_users import DatabaseUsers, WideLifespan
from .layers import Layers
from .lifespan_libraries import EnteredLifespan


class WideLifespans:
    """The lifespans that wide fixtures run now."""

    def __init__(self, users: DatabaseUsers, layers: Layers, redirect: Redirect) -> None:
        self._running = users.wide_lifespans
        self._layers = layers
        self._redirect = redirect

    @contextmanager
    def starting(self, lifespan: EnteredLifespan) -> Iterator[None]:
        """Register *lifespan*, which starts in the block, if a wide fixture starts it."""
        fixture = self._redirect.owner.get()
        if fixture in (None, LIFESPAN) or not self._layers.are_coming_up:
            yield
            return
        wide = WideLifespan(lifespan, fixture)
        with self._layers.part_coming_up(wide, fixture):
            yield
        self._running[lifespan] = wide

    def stopping(self, lifespan: EnteredLifespan) -> bool:
        """Forget *lifespan*; return whether it runs."""
        wide = self._running.pop(lifespan, None)
        return wide is None or wide.is_up

    def resume(self) -> None:
        """Start up the suspended lifespans, in the order of their first start."""
        for wide in self._running.values():
            if wide.is_up or wide.error is not None:
                continue
            try:
                with self._layers.coming_up(wide, wide.fixture):
                    wide.lifespan.start()
            except Exception as error:  # noqa: BLE001 - any error of the application; raised in tests of the fixture
                wide.error = _failed(wide.fixture)
                wide.error.__cause__ = error
            else:
                wide.is_up = True

    def check(self, fixtures: Iterable[str]) -> None:
        """Raise an error if one of *fixtures* runs an application that could not be restarted."""
        names = frozenset(fixtures)
        for wide in self._running.values():
            if wide.error is not None and wide.fixture in names:
                raise wide.error.with_traceback(None)


def _failed(fixture: str) -> ApplicationError:
    return ApplicationError(
        f"The application that the fixture {fixture!r} runs could not be started a second time.",
        why="An earlier test has changed the schema, or was isolated by a clone, so the database was made anew, and the"
        " application was shut down and started up for it. The error above is what its start-up raised.",
        do='Make the start-up repeatable, as a restart in production needs it, or give the fixture scope="function".',
    )
