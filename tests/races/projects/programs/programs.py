"""Programs of a few steps for each actor, and the outcomes of all orders of their steps."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from typing import NamedTuple

import psycopg
from schema import TABLES, engine
from sqlalchemy import Connection, text
from sqlalchemy.exc import DBAPIError

ROWS = "SELECT " + ", ".join(f"(SELECT array_agg({name} ORDER BY {name}::text)::text FROM {name})" for name in TABLES)
ROWS += ", (SELECT (last_value, is_called)::text FROM numbers)"
LOG = "SELECT (SELECT string_agg(who, '' ORDER BY at) FROM log), (SELECT string_agg(who, '' ORDER BY id) FROM log)"


class Actor(NamedTuple):
    """One transaction.

    Attributes:
        steps: Its statements. ``try`` before one means: in a savepoint, to which an error leads back; ``undo``: in a
            savepoint that is rolled back. ``commit`` and ``rollback`` begin another transaction.
        isolation: Its isolation level.
        is_read_only: Whether it is a read-only transaction.
        is_committed: Whether it ends with a commit.
    """

    steps: Sequence[str]
    isolation: str = "READ COMMITTED"
    is_read_only: bool = False
    is_committed: bool = True

    @property
    def size(self) -> int:
        """The number of steps for the race, at most."""
        return 1 + sum(3 if step.startswith(("try ", "undo ")) else 1 for step in self.steps)

    def __call__(self, who: str) -> list[object]:
        """Run it, and return what it reads, or the code of the error that ends it."""
        found: list[object] = []
        options = {"isolation_level": self.isolation, "postgresql_readonly": self.is_read_only}
        with engine.connect().execution_options(**options) as connection:
            try:
                for step in self.steps:
                    found.append(_execute(connection, step, who))
                if self.is_committed:
                    connection.commit()
                else:
                    connection.rollback()
            except DBAPIError as error:
                found.append(error.orig.sqlstate)
        return found


def _execute(connection: Connection, step: str, who: str) -> object:
    kind, _, statement = step.partition(" ")
    if kind in {"commit", "rollback"}:
        return getattr(connection, kind)()
    if kind not in {"try", "undo"}:
        return _rows(connection, step, who)
    connection.execute(text("SAVEPOINT s"))
    try:
        found = _rows(connection, statement, who)
    except DBAPIError as error:
        kind, found = "undo", error.orig.sqlstate
    connection.execute(text("ROLLBACK TO SAVEPOINT s" if kind == "undo" else "RELEASE SAVEPOINT s"))
    return found


def _rows(connection: Connection, statement: str, who: str) -> object:
    result = connection.execute(text(statement.replace("$who", who)))
    return str(result.all()) if result.returns_rows else result.rowcount


@contextmanager
def listener() -> Iterator[psycopg.Connection]:
    """Yield a connection that is told of notifications, and that no actor uses."""
    with engine.connect() as connection:
        url = connection.connection.dbapi_connection.info
        password = url.password
        parameters = url.get_parameters()
    with psycopg.connect(**parameters, password=password, autocommit=True) as own:
        own.execute("LISTEN news")
        yield own


class Outcomes(NamedTuple):
    """The outcomes of a program, and the number of orders in which it ran."""

    found: set[str]
    orders: int
    is_exhaustive: bool


def outcomes(race, actors: Sequence[Callable[[str], object]], *, reduce: bool) -> Outcomes:
    """Run the *actors* in every order; return what they read, and the rows and notifications at the end of each."""
    found: set[str] = set()

    def note(results: list[object]) -> None:
        rows = ear.execute(ROWS).fetchone()
        log = ear.execute(LOG).fetchone()
        news = [notice.payload for notice in ear.notifies(timeout=0)]
        found.add(str((results, rows, log, news)))

    with listener() as ear:
        functions = [partial(actor, "abc"[number]) for number, actor in enumerate(actors)]
        result = race.run(*functions, invariant=note, reduce=reduce, orders=1000)
    return Outcomes(found, result.orders, result.is_exhaustive)
