"""Lifespans that a project's own wide fixtures run.

An application may keep connections while it runs: a LISTEN, a poller. None of them outlives its database. So where a
worker database is thrown away, such a lifespan is shut down before and started up after, like Crucible's own, on the
loop on which its fixture has started it. What it writes at start-up is a layer of the fixture, and is written anew. An
application that keeps none goes on running: its pools connect anew.

Where that cannot be done, the tests that use the fixture fail, and the error says why.
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

# How often a connection in use is looked at again: a poller may return it.
LOOKS = 3
LOOK_SECONDS = 0.005


class WideLifespan:
    """One lifespan, and the fixture that runs it.

    Attributes:
        lifespan: The lifespan.
        fixture: The fixture's name.
        is_up: Whether the application runs.
        error: Why it does not run as it should.
    """

    def __init__(self, lifespan: EnteredLifespan, fixture: str) -> None:
        self.lifespan = lifespan
        self.fixture = fixture
        self.is_up = True
        self.error: ApplicationError | None = None


class WideLifespans:
    """The lifespans that wide fixtures run now.

    Args:
        layers: What a start-up writes is one of them.
        redirect: Knows the wide fixture whose code runs now, and the connections that each has in use.
        notes: Where a failed shutdown is told.
    """

    def __init__(self, layers: Layers, redirect: Redirect, notes: list[str]) -> None:
        self._layers = layers
        self._redirect = redirect
        self._notes = notes
        self._running: dict[EnteredLifespan, WideLifespan] = {}

    @contextmanager
    def starting(self, lifespan: EnteredLifespan) -> Iterator[None]:
        """Start *lifespan* in here: where a wide fixture does, take it to those that run."""
        fixture = self._redirect.owner.get()
        if fixture in (None, LIFESPAN) or not self._layers.is_coming_up:
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
        """Shut down what keeps connections to *databases*, because these are about to go: the last one first.

        Args:
            databases: The databases.
            copied: Whether what the start-ups wrote is there afterwards, too.
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
            except Exception as error:  # noqa: BLE001 - the application's; without Crucible it would go on running
                self._notes.append(f"{wide.fixture}: the application's shutdown failed before a fresh clone: {error!r}")
            wide.is_up = False
            if not copied:
                self._layers.gone(wide)

    def resume(self) -> None:
        """Start up what is suspended, in the order in which it was started."""
        for wide in self._running.values():
            if wide.is_up or wide.error is not None:
                continue
            try:
                with self._layers.coming_up(wide, wide.fixture):
                    wide.lifespan.start()
            except Exception as error:  # noqa: BLE001 - the application's; raised to those who ask for it
                wide.error = _failed(wide.fixture)
                wide.error.__cause__ = error
            else:
                wide.is_up = True

    def _kept(self, databases: Collection[Database]) -> frozenset[str | None]:
        """Return which wide fixtures keep connections in use; None stands for code that Crucible does not see."""
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
        """Raise an error where one of *fixtures* runs an application that is not as it should be.

        Raises:
            ApplicationError: If it is so.
        """
        names = frozenset(fixtures)
        for wide in self._running.values():
            if wide.error is not None and wide.fixture in names:
                raise wide.error.with_traceback(None)


def _stranded(fixture: str, obstacle: str) -> ApplicationError:
    return ApplicationError(
        f"The application that the fixture {fixture!r} runs is connected to a database that is gone.",
        why="An earlier test has changed the schema, or was isolated by a clone, so the database was made anew. The"
        f" application could not be shut down and started up for it: {obstacle}.",
        do="Open websockets in the test, give the fixture the scope of a function, or run the tests that change the"
        " schema after those that use it.",
    )


def _failed(fixture: str) -> ApplicationError:
    return ApplicationError(
        f"The application that the fixture {fixture!r} runs could not be started a second time.",
        why="An earlier test has changed the schema, or was isolated by a clone, so the database was made anew, and the"
        " application was shut down and started up for it. The error above is what its start-up raised.",
        do="Make the start-up repeatable, as a restart in production needs it, or give the fixture the scope of a"
        " function.",
    )
