"""The worker databases of one process, all together."""

from __future__ import annotations

from collections.abc import Mapping

from .database import Database


class Databases:
    """All worker databases of a process, asked and changed together.

    Args:
        databases: Each by its name in the application's URLs.
    """

    def __init__(self, databases: Mapping[str | None, Database]) -> None:
        self._all = databases

    @property
    def every(self) -> list[Database]:
        """All worker databases, made or not."""
        return list(self._all.values())

    @property
    def names(self) -> list[str]:
        """The names of all worker databases."""
        return [database.name for database in self.every]

    @property
    def databases(self) -> list[Database]:
        """The databases that were made and not lost: no other can have changed."""
        return [database for database in self._all.values() if database.started]

    @property
    def started(self) -> bool:
        """True if anything has needed a database yet, and it has not been lost since."""
        return bool(self.databases)

    @property
    def stale(self) -> bool:
        """True if the next user of a database gets a fresh clone."""
        return any(database.stale for database in self.databases)

    def clones(self) -> list[str]:
        """Remove and return the reason of each fresh clone."""
        return [database.clones.pop(0) for database in self._all.values() for _ in [*database.clones]]

    def discard(self) -> None:
        """Have the next user of each database get a fresh clone."""
        for database in self.databases:
            database.discard()

    def marks(self) -> int:
        """Return the number of statements that have written, and committed, since the baseline."""
        return sum(database.connect().marks() for database in self.databases)

    def take_off(self, layer: int) -> None:
        """Take *layer* off each database; see `Database.take_off`."""
        for database in self.databases:
            database.take_off(layer)
