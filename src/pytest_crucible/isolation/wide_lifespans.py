"""Lifespans that a project's own wide fixtures run.

An application may keep connections while it runs: a LISTEN, a poller. None of them outlives its database. So before a
worker database is dropped, such a lifespan is shut down, and started up after it, like Crucible's own, on the loop on
which its fixture has started it. Its start-up rows are a layer of the fixture, and are written anew. An application
that keeps no connections goes on running: its pools connect anew.

If that is impossible, the tests that use the fixture fail, and the error says why.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator
from contextlib import contextmanager

from ..errors import ApplicationError
from ..redirect import LIFESPAN, Redirect
from ..worker.database import Database
from .database_reset import give_time
from .layers import Layers
from .lifespan_libraries import EnteredLifespan

# The number of looks at a connection in use: a poller may return it.
LOOKS = 3
LOOK_SECONDS = 0.005


class WideLifespan:
    """One lifespan, and the fixture that runs it.

    Attributes:
        lifespan: The lifespan.
        fixture: The fixture's name.
        is_up: Whether the application runs.
        error: The error for tests that use the fixture, if the application could not be restarted.
    """

    def __init__(self, lifespan: EnteredLifespan, fixture: str) -> None:
        self.lifespan = lifespan
        self.fixture = fixture
        self.is_up = True
        self.error: ApplicationError | None = None


class WideLifespans:
    """The lifespans that wide fixtures run now.

    Args:
        layers: The layers, which get the start-ups' rows.
        redirect: The redirect, which knows the owner of running code and of each connection in use.
        notes: The list that gets a line for each failed shutdown.
    """

    def __init__(self, layers: Layers, redirect: Redirect, notes: list[str]) -> None:
        self._layers = layers
        self._redirect = redirect
        self._notes = notes
        self._running: dict[EnteredLifespan, WideLifespan] = {}

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

    def suspend(self, databases: Collection[Database], *, copied: bool) -> None:
        """Shut down lifespans that keep connections to *databases*, which are about to be dropped, the last one first.

        Args:
            databases: The databases.
            copied: Whether the new databases will contain the start-ups' rows.
        """
        kept = self._kept(databases) if self._running else frozenset()
        for wide in reversed(self._running.values()):
            wide.error = None
            if not wide.is_up or not kept & {wide.fixture, None}:
                continue
            if (obstacle := wide.lifespan.obstacle()) is not None:
                wide.error = _stranded(wide.fixture, obstacle)
                continue
            try:
                wide.lifespan.stop()
            except Exception as error:  # noqa: BLE001 - any error of the application; it becomes a note
                self._notes.append(f"{wide.fixture}: the application's shutdown failed before a fresh clone: {error!r}")
            wide.is_up = False
            if not copied:
                self._layers.gone(wide)

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

    def _kept(self, databases: Collection[Database]) -> frozenset[str | None]:
        """Return the wide fixtures that keep connections in use; None stands for code that Crucible does not see."""
        kept: frozenset[str | None] = frozenset()
        for look in range(LOOKS):
            connections = self._redirect.connections()
            if look:
                give_time(connections, LOOK_SECONDS)
                connections = self._redirect.connections()
            known = {opened.pid for opened in connections}
            in_use = {opened.pid: opened.owner for opened in connections if opened.checked_out and opened.owner}
            backends = {pid for database in databases for pid in database.backends()}
            kept = frozenset(in_use.get(pid) for pid in backends if pid in in_use or pid not in known)
            if not kept:
                break
        return kept

    def check(self, fixtures: Iterable[str]) -> None:
        """Raise an error if one of *fixtures* runs an application that could not be restarted.

        Raises:
            ApplicationError: If that is so.
        """
        names = frozenset(fixtures)
        for wide in self._running.values():
            if wide.error is not None and wide.fixture in names:
                raise wide.error.with_traceback(None)


def _stranded(fixture: str, obstacle: str) -> ApplicationError:
    return ApplicationError(
        f"The application that the fixture {fixture!r} runs is connected to a database that was dropped.",
        why="An earlier test has changed the schema, or was isolated by a clone, so the database was made anew. The"
        f" application could not be shut down and started up for it: {obstacle}.",
        do='Open websockets in the test, give the fixture scope="function", or run the tests that change the schema'
        " after those that use it.",
    )


def _failed(fixture: str) -> ApplicationError:
    return ApplicationError(
        f"The application that the fixture {fixture!r} runs could not be started a second time.",
        why="An earlier test has changed the schema, or was isolated by a clone, so the database was made anew, and the"
        " application was shut down and started up for it. The error above is what its start-up raised.",
        do='Make the start-up repeatable, as a restart in production needs it, or give the fixture scope="function".',
    )
