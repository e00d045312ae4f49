"""The worker databases of one process, all together, and by the names in the application's URLs."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from ..errors import UsageError
from .database import Database


class Databases:
    """All worker databases of a process, asked and changed together.

    Args:
        databases: Each by its name in the application's URLs, the main database first.
        notes: Lines for the summary of the run.

    Attributes:
        main: The main database.
    """

    def __init__(self, databases: Mapping[str | None, Database], notes: list[str]) -> None:
        self.main = next(iter(databases.values()))
        self._all = databases
        self._notes = notes
        self._known = dict(databases) | {database.name: database for database in databases.values()}
        self._unmatched: list[str] = []

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

    def named(self, name: str | None) -> Database:
        """Return the database that a setting has under *name*; None names the main one.

        Raises:
            UsageError: If no database has this name.
        """
        if name is None:
            return self.main
        if name not in self._all:
            raise _no_such_database(name, filter(None, self._all))
        return self._all[name]

    def leading(self, name: str | None) -> Database:
        """Return the database to which an engine leads whose URL has *name*: the main one if no setting has it."""
        if name not in self._known:
            self._known[name] = self.main
            if name is not None:
                self._unmatched.append(name)
                if len(self._all) > 1 or len(self._unmatched) > 1:  # else there is nothing to confuse
                    self._notes.append(
                        f"database {name!r} leads to the main database: crucible_databases does not name it"
                    )
        return self._known[name]

    def clones(self) -> list[str]:
        """Remove and return the reason of each fresh clone."""
        return [database.clones.pop(0) for database in self._all.values() for _ in [*database.clones]]

    def marks(self) -> int:
        """Return the number of statements that have written, and committed, since the baseline."""
        return sum(database.connect().marks() for database in self.databases)

    def take_off(self, layer: int) -> None:
        """Take *layer* off each database; see `Database.take_off`."""
        for database in self.databases:
            database.take_off(layer)


def _no_such_database(name: str, names: Iterable[str]) -> UsageError:
    return UsageError(
        f"There is no database {name!r} here.",
        why=f"These are named: {', '.join(map(repr, names)) or 'none'}.",
        do=f'Write crucible_databases = ["{name}=package.module:Base"], or give no name for the main one.',
    )
