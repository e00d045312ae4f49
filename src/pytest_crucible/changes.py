"""Which rows differ between two moments of one test, whoever committed in between.

The marks say which tables were written at all, so that looking costs one query where nothing was. A statement that
writes marks its table even if it changed no row; then the rows as they were, which an open transaction still sees
(PostgreSQL manual, 13.2.2: Repeatable Read), are compared with those that are there now.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import psycopg
from psycopg import sql

from .admin import connect
from .reset import Control


@dataclass(frozen=True)
class Change:
    """How the rows of one table differ.

    Attributes:
        table: As PostgreSQL writes its name.
        added: New rows, and old ones as they are now, as text.
        removed: Rows that are gone, and those that changed as they were.
    """

    table: str
    added: tuple[str, ...] = ()
    removed: tuple[str, ...] = ()

    def __str__(self) -> str:
        rows = [f"+ {row}" for row in self.added[:3]] + [f"- {row}" for row in self.removed[:3]]
        more = len(self.added) + len(self.removed) - len(rows)
        return "\n".join([f"{self.table}:", *rows, *([f"… and {more} more"] if more > 0 else [])])


class Watch:
    """What has changed in the database of *control* since this began. Made by `watching`."""

    def __init__(self, control: Control, snapshot: psycopg.Connection[tuple[Any, ...]]) -> None:
        self._control = control
        self._snapshot = snapshot
        self._before = control.marked()

    def changes(self, ignore: Iterable[str] = ()) -> list[Change]:
        """The tables whose rows differ from what they were, but for those in *ignore*.

        Args:
            ignore: Names of tables, with or without their schema.
        """
        now = self._control.marked()
        names = {name for name, count in now.items() if count != self._before.get(name, 0)}
        ignored = {name.rpartition(".")[2] for name in ignore if "." not in name} | {*ignore}
        written = sorted(name for name in names if not {name, name.rpartition(".")[2]} & ignored)
        old = {name: self._rows(name) for name in written if name}
        self._snapshot.rollback()
        found = [_compared(name, old[name], self._rows(name)) for name in written if name]
        schema = [Change("the schema")] if "" in names else []
        return schema + [change for change in found if change.added or change.removed]

    def _rows(self, table: str) -> Counter[str]:
        query = sql.SQL("SELECT (x.*)::text FROM {} x").format(sql.SQL(table))
        return Counter(row[0] for row in self._snapshot.execute(query))


@contextmanager
def watching(control: Control) -> Iterator[Watch]:
    """Watch the database of *control*: what is committed in here can be asked for."""
    snapshot = connect(control.address, "-c row_security=off -c default_transaction_isolation=repeatable\\ read")
    try:
        snapshot.autocommit = False
        snapshot.execute("SELECT 1")  # the first statement takes the snapshot
        yield Watch(control, snapshot)
    finally:
        snapshot.close()


def _compared(table: str, old: Counter[str], new: Counter[str]) -> Change:
    return Change(table, tuple((new - old).elements()), tuple((old - new).elements()))
