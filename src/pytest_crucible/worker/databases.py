"""The worker databases of one process, all together."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from .database import Database


class Databases:
    """What is asked of all databases, or done to each.

    Args:
        databases: Each by its name in the application's URLs.
    """

    def __init__(self, databases: Mapping[str | None, Database]) -> None:
        self._all = databases

    @property
    def every(self) -> list[Database]:
        """All worker databases, whether they are there yet or not."""
        return list(self._all.values())

    @property
    def names(self) -> list[str]:
        """Their names."""
        return [database.name for database in self.every]

    @property
    def databases(self) -> list[Database]:
        """Every database that was needed yet, and has not been lost since: none but these can have changed."""
        return [database for database in self._all.values() if database.started]

    @property
    def started(self) -> bool:
        """Whether anything has needed a database yet, and it has not been lost since."""
        return bool(self.databases)

    @property
    def stale(self) -> bool:
        """Whether the next user of a database gets a fresh clone."""
        return any(database.stale for database in self.databases)

    def clones(self) -> list[str]:
        """Take away why a database could only be cloned anew, for each time since this was last called."""
        return [database.clones.pop(0) for database in self._all.values() for _ in [*database.clones]]

    def discard(self) -> None:
        """Have the next user of each database get a fresh clone."""
        for database in self.databases:
            database.discard()

    def marks(self) -> int:
        """How many statements have written, and committed, since the baseline."""
        return sum(database.connect().marks() for database in self.databases)

    def capture(self, layer: int, before_copy: Callable[[Database], None]) -> None:
        """Take what a wide fixture committed into *layer*; see `Database.capture`."""
        for database in self.databases:
            database.capture(layer, before_copy)

    def take_off(self, layer: int) -> None:
        """Take *layer* away, and put the databases back to what is left."""
        for database in self.databases:
            database.take_off(layer)
