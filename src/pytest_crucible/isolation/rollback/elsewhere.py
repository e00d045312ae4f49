"""Engines that read the database past the test's session: a likely cause of rows that are not found."""

from __future__ import annotations

from collections.abc import Callable

from sqlalchemy import event
from sqlalchemy.engine import Connection, Engine

from ...errors.locations import here
from .savepoints import RESET

OVERRIDE = 'Write crucible_get_session = "app.database:get_db", so that the application uses db_session.'


class Elsewhere:
    """A listener that notes the engines which connect while a test has an outer transaction.

    Args:
        is_inside: Returns whether a connection need not be noted: the test's own, or one that does not matter.
    """

    def __init__(self, is_inside: Callable[[Connection], bool]) -> None:
        self._is_inside = is_inside
        self._places: dict[str, str] = {}
        self._listens = False

    def listen(self) -> None:
        """Listen, and forget the places of earlier tests."""
        self._places.clear()
        if not self._listens:
            self._listens = True
            event.listen(Engine, "engine_connect", self._connected)

    def close(self) -> None:
        """Stop listening."""
        if self._listens:
            self._listens = False
            event.remove(Engine, "engine_connect", self._connected)

    def note(self, *, is_overridden: bool) -> str:
        """Return the note for a failed test, or "".

        Args:
            is_overridden: Whether the application gets its sessions from Crucible.
        """
        if not self._places:
            return ""
        places = "\n".join(f"  {url} at {place}" for url, place in self._places.items())
        advice = RESET if is_overridden else OVERRIDE
        return (
            "crucible: In rollback isolation only the test's session sees the rows that it has written, and meanwhile"
            f" the database was used elsewhere:\n{places}\nIf the test fails because rows were not found: {advice}"
        )

    def _connected(self, connection: Connection) -> None:
        if connection.dialect.name == "postgresql" and not self._is_inside(connection):
            url, place = connection.engine.url.render_as_string(), here()
            if place is not None or url not in self._places:  # a known place replaces an unknown one
                self._places[url] = str(place or "an unknown place")
