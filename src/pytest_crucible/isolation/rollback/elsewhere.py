"""Engines that read the database past the test's session: a likely cause of rows that are not found."""

from __future__ import annotations

from sqlalchemy import event
from sqlalchemy.engine import Connection, Engine

from ...errors.locations import UNKNOWN, here
from ...worker.worker import Worker
from .outer import OuterTransactions
from .savepoints import RESET

OVERRIDE = 'Write crucible_get_session = "app.database:get_db", so that the application uses db_session.'


class Elsewhere:
    """A listener that notes the engines which connect while a test has an outer transaction."""

    def __init__(self, outers: OuterTransactions, worker: Worker) -> None:
        self._outers = outers
        self._worker = worker
        self._locations: dict[str, str] = {}
        self._listens = False

    def listen(self) -> None:
        """Listen, and forget the locations of earlier tests."""
        self._locations.clear()
        if not self._listens:
            self._listens = True
            event.listen(Engine, "engine_connect", self._connected)

    def close(self) -> None:
        """Stop listening."""
        if self._listens:
            self._listens = False
            event.remove(Engine, "engine_connect", self._connected)

    def note(self) -> str:
        """Return the note for a failed test, or ""."""
        if not self._locations:
            return ""
        locations = "\n".join(f"  {url} at {location}" for url, location in self._locations.items())
        advice = OVERRIDE if self._worker.settings.get_session is None else RESET
        return (
            "crucible: In rollback isolation only the test's session sees the rows that it has written, and meanwhile"
            f" the database was used elsewhere:\n{locations}\nIf the test fails because rows were not found: {advice}"
        )

    def _connected(self, connection: Connection) -> None:
        if connection.dialect.name == "postgresql" and self._is_elsewhere(connection):
            url, location = connection.engine.url.render_as_string(), here()
            if location is not None or url not in self._locations:  # a known location replaces an unknown one
                self._locations[url] = str(location or UNKNOWN)

    def _is_elsewhere(self, connection: Connection) -> bool:
        """Return whether *connection*, which the test made, leads to the database and does not see the test's rows."""
        redirect, current = self._worker.redirect, self._outers.current
        is_own = any(outer.is_opening or outer.connection is connection for outer in current)
        is_of_test = bool(current) and redirect.owner.get() is None
        return is_of_test and not is_own and redirect.database_of(connection) == self._worker.main.name
