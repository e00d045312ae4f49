"""The rows that differ between two moments of one test, no matter which connection committed in between.

The marks show which tables were written, so that the comparison costs one query where none was. A statement that
writes marks its table even if it changed no row. So the old rows, which an open transaction still sees (PostgreSQL
manual, 13.2.2: Repeatable Read), are compared with the current ones.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from typing import Any

from .admin import connect
from .driver import psycopg, sql
from .reset import Control


@dataclass(frozen=True)
class RowChange:
    """The differences in the rows of one table.

    Attributes:
        table: The name, as PostgreSQL writes it.
        added: New rows, and changed rows in their new form, as text.
        removed: Deleted rows, and changed rows in their old form.
    """

    table: str
    added: tuple[str, ...] = ()
    removed: tuple[str, ...] = ()

    def __str__(self) -> str:
        rows = [f"+ {row}" for row in self.added[:3]] + [f"- {row}" for row in self.removed[:3]]
        more = len(self.added) + len(self.removed) - len(rows)
        return "\n".join([f"{self.table}:", *rows, *([f"… and {more} more"] if more > 0 else [])])


class RowWatch:
    """The changes in some databases since the watch began. Made by `watching`."""

    def __init__(self, snapshots: list[Snapshot]) -> None:
        self._snapshots = snapshots

    def changes(self, ignore: Iterable[str] = ()) -> list[RowChange]:
        """Return the changes of all tables whose rows differ, except those in *ignore*.

        Args:
            ignore: Names of tables, with or without their schema.
        """
        ignored = set(ignore)
        return [change for snapshot in self._snapshots for change in snapshot.changes(ignored)]

    def renew(self) -> None:
        """Watch for changes from now on."""
        for snapshot in self._snapshots:
            snapshot.take()

    def pause(self) -> None:
        """Watch no more until `renew`, and hold no snapshot, which a reset or DDL could meet."""
        for snapshot in self._snapshots:
            snapshot.release()


class Snapshot:
    """The rows of one database at one moment."""

    def __init__(self, control: Control, connection: psycopg.Connection[tuple[Any, ...]]) -> None:
        self._control = control
        self._connection = connection
        connection.autocommit = False
        self.take()

    def take(self) -> None:
        """Take the snapshot of this moment."""
        self._connection.rollback()
        self._connection.execute("SELECT 1")  # the first statement takes the snapshot
        self._before = self._control.marked()

    def release(self) -> None:
        """Give the snapshot up."""
        self._connection.rollback()

    def changes(self, ignored: set[str]) -> list[RowChange]:
        """Return the changes of the tables whose rows differ."""
        now = self._control.marked()
        names = {name for name, count in now.items() if count != self._before.get(name, 0)}
        written = sorted(name for name in names if name and not {name, name.rpartition(".")[2]} & ignored)
        old = {name: (self._rows(name), self._file(name)) for name in written}
        self._connection.rollback()
        compared = [self._compared(name, *old[name]) for name in written]
        schema = [RowChange("the schema")] if "" in names else []
        return schema + [change for change in compared if change.added or change.removed]

    def _rows(self, table: str) -> Counter[str]:
        query = sql.SQL("SELECT {} FROM {} x").format(sql.SQL(self._control.row_text(table)), sql.SQL(table))
        return Counter(row[0] for row in self._connection.execute(query))

    def _file(self, table: str) -> object:
        row = self._connection.execute("SELECT relfilenode FROM pg_class WHERE oid = %s::regclass", (table,)).fetchone()
        return row and row[0]

    def _compared(self, table: str, old: Counter[str], file: object) -> RowChange:
        new = self._rows(table)
        removed = tuple(sorted((old - new).elements()))
        if not old and self._file(table) != file:
            # TRUNCATE hides the rows from older transactions, too (PostgreSQL manual, 13.6).
            removed = ("every row, by TRUNCATE",)
        return RowChange(table, tuple(sorted((new - old).elements())), removed)


@contextmanager
def watching(controls: Iterable[Control]) -> Iterator[RowWatch]:
    """Watch the databases of *controls* for changes that are committed inside the block."""
    with ExitStack() as opened:
        yield RowWatch([Snapshot(control, opened.enter_context(_connected(control))) for control in controls])


@contextmanager
def _connected(control: Control) -> Iterator[psycopg.Connection[tuple[Any, ...]]]:
    connection = connect(control.address, "-c row_security=off -c default_transaction_isolation=repeatable\\ read")
    try:
        yield connection
    finally:
        connection.close()
