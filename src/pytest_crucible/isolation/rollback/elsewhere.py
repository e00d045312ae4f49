"""Where the application read the database past the test's session: a likely cause of rows that are not found."""

from __future__ import annotations

from collections.abc import Callable

from sqlalchemy import event
from sqlalchemy.engine import Connection, Engine

from ...errors.locations import here
from .savepoints import RESET

OVERRIDE = 'Write crucible_get_session = "app.database:get_db", so that the application uses db_session.'


class Elsewhere:
    """Notes the engines that connect while a test has an outer transaction.

    Args:
        is_inside: Whether a connection is the test's own, or nobody minds it.
    """

    def __init__(self, is_inside: Callable[[Connection], bool]) -> None:
        self._is_inside = is_inside
        self._places: dict[str, str] = {}
        self._listens = False

    def listen(self) -> None:
        """Begin anew."""
        self._places.clear()
        if not self._listens:
            self._listens = True
            event.listen(Engine, "engine_connect", self._connected)

    def close(self) -> None:
        """Listen no more."""
        if self._listens:
            self._listens = False
            event.remove(Engine, "engine_connect", self._connected)

    def note(self, *, is_overridden: bool) -> str:
        """What a test that failed should know, if anything.

        Args:
            is_overridden: Whether the application gets its sessions from us.
        """
        if not self._places:
            return ""
        places = "\n".join(f"  {url} at {place}" for url, place in self._places.items())
        advice = RESET if is_overridden else OVERRIDE
        return (
            "crucible: In rollback isolation only the session of the test sees what it has written, and meanwhile the"
            f" database was used elsewhere:\n{places}\nIf the test fails because rows were not found: {advice}"
        )

    def _connected(self, connection: Connection) -> None:
        if connection.dialect.name == "postgresql" and not self._is_inside(connection):
            url, place = connection.engine.url.render_as_string(), here()
            if place is not None or url not in self._places:  # any place says more than none
                self._places[url] = str(place or "an unknown place")
