"""The applications and connections that use the worker databases, and make way before one is dropped.

An application may keep connections while it runs: a LISTEN, a poller. None of them outlives its database. So before a
worker database is dropped, such an application is shut down. One that keeps no connections goes on running: its pools
connect anew.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from ..errors import ApplicationError
from ..worker.database import Database
from ..worker.worker import Worker
from .database_reset import give_time, give_time_while
from .leaks import is_active
from .lifespan_libraries import EnteredLifespan

if TYPE_CHECKING:
    from .lifespan import Lifespan

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


class DatabaseUsers:
    """The applications and connections that use the worker databases.

    Attributes:
        lifespans: The lifespans that run on a loop that outlives its tests; each adds and removes itself.
        wide_lifespans: The lifespans that the project's own wide fixtures run.
    """

    def __init__(self, worker: Worker) -> None:
        self.lifespans: set[Lifespan] = set()
        self.wide_lifespans: dict[EnteredLifespan, WideLifespan] = {}
        self._worker = worker

    def suspend(self, databases: Collection[Database]) -> list[WideLifespan]:
        """Shut applications down, and have open connections given up, before *databases* go.

        Returns:
            The lifespans of wide fixtures that were shut down.
        """
        gone = {(database.name, database.generation) for database in databases}
        self._worker.leaving = True
        try:
            stopped = self._stop_wide(databases)
            for lifespan in list(self.lifespans):
                lifespan.suspend()
        finally:
            self._worker.leaving = False
        redirect = self._worker.redirect
        with redirect.keep_targets():
            give_time_while(
                lambda: redirect.is_connecting(gone) or any(map(is_active, redirect.holders.in_use(gone))), redirect
            )
            redirect.holders.let_go(gone)
        return stopped

    @contextmanager
    def resumed(self) -> Iterator[None]:
        """Start the lifespans up again that `suspend` shuts down in the block: the test goes on."""
        running = list(self.lifespans)
        yield
        for lifespan in running:
            lifespan.resume()

    def _stop_wide(self, databases: Collection[Database]) -> list[WideLifespan]:
        """Shut down the lifespans that keep connections to *databases*, the last one first."""
        kept = self._kept(databases) if self.wide_lifespans else frozenset()
        stopped = []
        for wide in reversed(self.wide_lifespans.values()):
            wide.error = None
            if not wide.is_up or not kept & {wide.fixture, None}:
                continue
            if (obstacle := wide.lifespan.obstacle()) is not None:
                wide.error = _stranded(wide.fixture, obstacle)
                continue
            try:
                wide.lifespan.stop()
            except Exception as error:  # noqa: BLE001 - any error of the application; it becomes a note
                note = f"{wide.fixture}: the application's shutdown failed before a fresh clone: {error!r}"
                self._worker.notes.append(note)
            wide.is_up = False
            stopped.append(wide)
        return stopped

    def _kept(self, databases: Collection[Database]) -> frozenset[str | None]:
        """Return the wide fixtures that keep connections in use; None stands for code that Crucible does not see."""
        kept: frozenset[str | None] = frozenset()
        redirect = self._worker.redirect
        for look in range(LOOKS):
            if look:
                give_time(redirect.connections(), LOOK_SECONDS)
            connections = redirect.connections()
            known = {opened.pid for opened in connections}
            in_use = {opened.pid: opened.owner for opened in connections if opened.checked_out and opened.owner}
            backends = {pid for database in databases for pid in database.backends()}
            kept = frozenset(in_use.get(pid) for pid in backends if pid in in_use or pid not in known)
            if not kept:
                break
        return kept


def _stranded(fixture: str, obstacle: str) -> ApplicationError:
    return ApplicationError(
        f"The application that the fixture {fixture!r} runs is connected to a database that was dropped.",
        why="An earlier test has changed the schema, or was isolated by a clone, so the database was made anew. The"
        f" application could not be shut down and started up for it: {obstacle}.",
        do='Open websockets in the test, give the fixture scope="function", or run the tests that change the schema'
        " after those that use it.",
    )
