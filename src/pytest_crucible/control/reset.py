"""The reset of a worker database after a test: the control connection's side of reset isolation.

The model
---------
Statement triggers on every table write a *mark*, event triggers mark DDL, and one server-side call after each
test (``reset()`` in ``reset.sql``) resets exactly what is marked: rows, and every sequence that moved. Tests
really commit; connections stay open. A test that wrote nothing costs one round trip that finds nothing.

The answers of the call
-----------------------
* nothing, or tables to vacuum: the database equals its baseline again;
* other backends' open transactions: nothing was reset yet (`isolation.leaks` finds their owners);
* a reason why only a fresh clone can restore the baseline: DDL that changed the catalog, large objects, settings or
  privileges of the database, a trigger that fires even for a replica, or more rows to insert than a clone costs.

The limits
----------
Roles and other cluster-wide objects are not reset (no trigger sees them). Statistics are not part of the
baseline. ``currval()`` and other session state live as long as their connection, as in production.
Rows return in the order of the baseline. An exception is a table with more than `rights.MANY_ROWS`, which is restored
by difference: the rows that were changed or removed come last.

The files
---------
``reset.sql`` has marks and the reset, ``reset_baseline.sql`` the baseline, ``reset_difference.sql`` and
``reset_keys.sql`` tables with many rows, ``reset_layers.sql`` layers; ``reset_owned.sql``, ``reset_watched.sql`` and
``reset_plain.sql`` the parts that depend on the role.

The speed
---------
* The control connection runs under ``session_replication_role = replica`` from its beginning: no foreign key is
  checked, and no trigger of the application fires. Switching it within the call would discard every cached plan.
* The functions' text is written for the schema, so that plpgsql keeps the plans of all statements.
* If the server's WAL has not moved since the last test that changed nothing, neither has a sequence or a large object.
* The rows that a reset inserted are known by their xmin. If they are all there, a reset deletes the other rows only.
* Statement triggers log the keys of the rows that they wrote to a table with many rows: only these are compared.
* Rows are deleted, no table is truncated: TRUNCATE creates files, which takes 0.3 ms and more for each table.
"""

from __future__ import annotations

import json
import threading
import time
from collections import Counter
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from typing import Any

from ..server.address import Address
from .admin import connect
from .answer import Answer, OtherBackend
from .driver import psycopg, sql
from .marks import MARK
from .rights import OWN, Rights
from .sent_query import NAME, LostAnswerError, SentQuery

# Inserting a row again takes about 6 µs; a clone takes 20 to 50 ms, and a new connection for every engine.
MOST_ROWS = 5_000
# Dead rows in a table before it is vacuumed: about as many as fit on a few pages.
MOST_DEAD = 500
# After so many resets, search for dead rows that no reset made: rolled back, or of temporary tables in the catalog.
SWEEP_EVERY = 100

# The layers of a database as COPY writes them, by table, in the order in which they are read back.
Layers = dict[str, bytes]
LAYER_TABLES = {
    "layer_row": "SELECT * FROM pg_crucible.layer_row",
    "layer_sequence": "SELECT * FROM pg_crucible.layer_sequence",
    "seed": "SELECT * FROM pg_crucible.seed WHERE relid IN (SELECT relid FROM pg_crucible.layer_row)",
}

RESET = f"""
PREPARE {NAME.decode()} (integer[], bigint, boolean, boolean) AS SELECT pg_crucible.reset($1, $2, $3, $4)
"""
BEGINNING = """
SELECT current_setting('max_prepared_transactions'), extract(epoch FROM clock_timestamp()),
       set_config('pg_crucible.own', (SELECT own FROM pg_crucible.key), false),
       set_config('pg_crucible.shared', pg_crucible.shared_stamp(), false)
"""
HAS_GRANTS = """
SELECT EXISTS (SELECT FROM pg_shdepend d WHERE d.refclassid = 'pg_authid'::regclass AND d.refobjid = r.oid
                  AND d.dbid = (SELECT oid FROM pg_database WHERE datname = current_database()))
    OR EXISTS (SELECT FROM pg_auth_members m WHERE m.member = r.oid AND m.grantor <> current_user::regrole)
  FROM pg_roles r WHERE rolname = %s
"""
IN_THE_WAY = """
SELECT coalesce(array_agg(l.pid), '{}') FROM pg_locks l
 WHERE l.locktype = 'relation' AND l.granted AND l.mode <> 'AccessShareLock' AND l.pid <> pg_backend_pid()
   AND l.database = (SELECT oid FROM pg_database WHERE datname = current_database())
   AND l.relation IN (SELECT seqid FROM pg_crucible.sequence UNION SELECT unnest(t.tree)
                        FROM pg_crucible.tracked t JOIN pg_crucible.mark m ON m.relid = t.relid)
"""


def only(layers: Layers, numbers: set[int]) -> Layers:
    """Return the parts of *layers* with these *numbers*, which stand in the first column of each line."""
    wanted = {str(number).encode() for number in numbers}
    return {
        table: b"".join(line for line in layers[table].splitlines(keepends=True) if line.split(b"\t")[0] in wanted)
        for table in ("layer_row", "layer_sequence")
    }


def install(address: Address, rights: Rights) -> None:
    """Install marks and reset into the database at *address*, and make its present state the baseline."""
    with connect(address, rights.session) as connection:
        if rights.superuser:
            connection.execute("SET allow_system_table_mods = on")
        connection.execute(f"CREATE SCHEMA {rights.schema}")
        connection.execute(rights.source())
        connection.execute(OWN.replace("pg_crucible.", f"{rights.schema}."))
        connection.execute(f"SELECT {rights.schema}.seal()")
        connection.execute("VACUUM (FREEZE)" if rights.superuser else "SELECT 1")


class Control:
    """The control connection to one worker database; any thread may use it, also while a reset is under way.

    Attributes:
        pid: Its backend.
        prepares: Whether the server allows prepared transactions, which belong to no backend.
    """

    def __init__(self, address: Address, rights: Rights) -> None:
        self.address = address
        self._schema = rights.schema
        self._connection = connect(address, rights.session)
        self._reset = SentQuery(self._connection)
        self._lock = threading.RLock()
        # Only an external server allows prepared transactions (PostgreSQL manual, PREPARE TRANSACTION).
        prepared, epoch = self._begin()
        self.prepares = prepared != "0"
        self._offset = float(epoch) - _clock()
        self.pid = self._connection.info.backend_pid
        self._dead: Counter[str] = Counter()
        self._until_sweep = SWEEP_EVERY

    def _begin(self) -> tuple[str, Any]:
        # Both statements in one message, which is one round trip.
        cursor = self._connection.execute(self._own(f"{RESET}; {BEGINNING}"))
        cursor.nextset()
        ((prepared, epoch, *_),) = cursor.fetchall()
        return prepared, epoch

    def close(self) -> None:
        """Close the connection, after restoring the database's mark: without it, Crucible could not drop it."""
        with suppress(psycopg.Error):
            self._mend_mark()
        self._connection.close()

    def _mend_mark(self) -> None:
        """Set the database's mark again if the application, which may own it, has set another limit."""
        if self._value("SELECT datconnlimit FROM pg_database WHERE datname = current_database()") != MARK:
            statement = sql.SQL("ALTER DATABASE {} CONNECTION LIMIT {}")
            self._execute(statement.format(sql.Identifier(self._connection.info.dbname), sql.Literal(MARK)))

    def reset(
        self, allowed: Iterable[int] = (), most: int = MOST_ROWS, *, held: bool = False, every_one: bool = False
    ) -> Answer:
        """Find the changes since the baseline and reset them, in one round trip; see `send_reset` and `answer`."""
        self.send_reset(allowed, most, held=held, every_one=every_one)
        return self.answer()

    def send_reset(
        self, allowed: Iterable[int] = (), most: int = MOST_ROWS, *, held: bool = False, every_one: bool = False
    ) -> None:
        """Send the reset, and do not wait for it: every other use of this connection does.

        Args:
            allowed: Backends whose open transactions are known and may stay.
            most: The number of rows to insert above which the answer is ``clone``.
            held: Whether a connection of the application is checked out, so that a transaction may be aborted.
            every_one: Whether the answer includes harmless transactions.
        """
        with self._lock:
            self._reset.wait()
            backends = f"{{{','.join(map(str, allowed))}}}"
            self._reset.send(backends, str(most), str(held or self.prepares), str(every_one))

    @property
    def is_resetting(self) -> bool:
        """True if the reset that was sent last is under way; False as well if it could not be sent."""
        return self._reset.is_under_way

    def answer(self) -> Answer:
        """Return the answer to the reset that was sent last; wait for it.

        Raises:
            psycopg.Error: If the reset failed.
        """
        with self._lock:
            try:
                text = self._reset.answer()
            except (psycopg.errors.LockNotAvailable, psycopg.errors.DeadlockDetected):
                return Answer("locked")
            except LostAnswerError:  # it may have been "clone", with which the marks are gone
                return Answer("clone", why="a time-out during the reset")
            self._until_sweep -= 1
            if not self._until_sweep:
                self._sweep()
        return Answer("reset") if text is None else self._answer_of(json.loads(text))

    def _answer_of(self, answer: dict[str, Any]) -> Answer:
        if "open" in answer:
            return Answer("open", backends=tuple(OtherBackend(**backend) for backend in answer["open"]))
        if "clone" in answer:
            return Answer("clone", why=answer["clone"])
        self._count_dead(answer["dead"])
        return Answer("reset", temporary=tuple(answer["temporary"]))

    def marks(self) -> int:
        """Return the number of committed statements that have written since the baseline."""
        return int(self._value("SELECT count(*) FROM pg_crucible.mark WHERE relid <> 1"))

    def marked(self) -> dict[str, int]:
        """Return the number of statements that have written each table since the baseline; "" is the schema."""
        query = (
            "SELECT coalesce(k.name, ''), count(*) FROM pg_crucible.mark m"
            " LEFT JOIN pg_crucible.tracked k USING (relid) WHERE m.relid <> 1 GROUP BY 1"
        )
        return dict(self._run(query).fetchall())

    def row_text(self, table: str) -> str:
        """Return the expression for a row ``x`` of *table* as text, without virtual columns, which may raise."""
        return str(self._value("SELECT whole FROM pg_crucible.tracked WHERE name = %s", table))

    def capture(self, layer: int) -> bool | None:
        """Add the changes since the baseline to *layer*, and so to the baseline.

        Returns:
            Whether there were changes; None if only a copy of the whole database can be that layer.
        """
        captured: bool | None = self._value("SELECT pg_crucible.capture(%s)", layer)
        return captured

    def take_off(self, layer: int) -> bool:
        """Remove *layer* from the baseline, and mark its tables for the next reset.

        Returns:
            False if the schema has changed since the baseline: only a fresh clone has tables that fit the rows.
        """
        return bool(self._value("SELECT pg_crucible.take_off(%s)", layer))

    def seal(self) -> None:
        """Make the present state of the whole database the baseline, layers included."""
        self._run("SELECT pg_crucible.seal()")

    def now(self) -> float:
        """Return the time of the server's clock, in seconds since the epoch, without a round trip."""
        return _clock() + self._offset

    def has_grants(self, role: str) -> bool:
        """Return whether *role* has privileges or objects in this database, or is a member of another role.

        A membership that Crucible gave it does not count.
        """
        return bool(self._value(HAS_GRANTS, role))

    def terminate(self, pids: Iterable[int]) -> None:
        """End backends, and wait until each is gone."""
        # The second argument is the time to wait for the end, in milliseconds (PostgreSQL manual, 9.28.2).
        query = "SELECT pg_terminate_backend(pid, 2000) FROM unnest(%s::integer[]) AS pid"
        self._run(query, list(pids))

    def others_in_transactions(self) -> tuple[OtherBackend, ...]:
        """Return every other backend with an open transaction or advisory lock here, harmless ones too."""
        backends = self._value("SELECT pg_crucible.strangers('{}', true)::jsonb")
        return tuple(OtherBackend(**backend) for backend in backends or ())

    def roll_back_prepared(self, identifier: str) -> None:
        """Roll back the prepared transaction *identifier*."""
        self._execute(sql.SQL("ROLLBACK PREPARED {}").format(identifier))

    def in_the_way(self) -> frozenset[int]:
        """Return the backends that hold a lock on a table to be reset, or on a sequence.

        ACCESS SHARE locks do not count: the reset takes no ACCESS EXCLUSIVE lock, with which they would conflict.
        """
        return frozenset(self._value(IN_THE_WAY))

    def export_layers(self) -> Layers:
        """Return every layer of this database, to be adopted by a fresh clone."""
        return {table: self._copy_out(query) for table, query in LAYER_TABLES.items()}

    def adopt_layers(self, layers: Layers) -> None:
        """Load *layers* into this fresh clone, where they become part of its baseline."""
        self._run("TRUNCATE pg_crucible.layer_sequence")
        for table, rows in layers.items():
            if table == "seed":
                self._run("DELETE FROM pg_crucible.seed WHERE relid IN (SELECT relid FROM pg_crucible.layer_row)")
            self._copy_in(self._own(f"pg_crucible.{table}"), rows)
        self._run("SELECT pg_crucible.adopt()")

    def carry(self, layers: Layers) -> list[str]:
        """Add *layers* of a database that was dropped to the layers of this one.

        Returns:
            The tables whose rows could not be added, because they have other columns here.
        """
        for table, name in {"carried": "layer_row", "carried_sequence": "layer_sequence"}.items():
            self._execute(self._own(f"CREATE TEMP TABLE {table} (LIKE pg_crucible.{name})"))
            self._copy_in(table, layers[name])
        return list(self._value("SELECT pg_crucible.carry()"))

    def _copy_out(self, query: str) -> bytes:
        with self._idle() as connection, connection.cursor().copy(self._own(f"COPY ({query}) TO STDOUT")) as rows:
            return b"".join(bytes(block) for block in rows)

    def _copy_in(self, table: str, rows: bytes) -> None:
        with self._idle() as connection, connection.cursor().copy(f"COPY {table} FROM STDIN") as sink:
            sink.write(rows)

    def _count_dead(self, dead: dict[str, int]) -> None:
        """Vacuum tables before their dead rows slow down every later scan: autovacuum is off."""
        self._dead.update(dead)
        self._vacuum([table for table, rows in self._dead.items() if rows > MOST_DEAD])

    def _sweep(self) -> None:
        """Vacuum the tables that are full of dead rows according to the server's statistics."""
        self._until_sweep = SWEEP_EVERY
        query = (
            "SELECT oid::regclass::text FROM pg_class WHERE relkind = 'r' AND relpersistence <> 't'"
            " AND greatest(pg_stat_get_dead_tuples(oid), pg_stat_get_dead_tuples(reltoastrelid)) > %s"
        )
        self._vacuum([table for (table,) in self._run(query, MOST_DEAD).fetchall()])

    def _vacuum(self, tables: Iterable[str]) -> None:
        for table in tables:
            self._dead.pop(table, None)
            self._execute(f"VACUUM (SKIP_LOCKED) {table}")

    def _run(self, query: str, *arguments: object) -> psycopg.Cursor[tuple[Any, ...]]:
        # psycopg prepares what is executed often; to prepare a statement on first use would be a round trip of its own.
        with self._idle() as connection:
            return connection.execute(self._own(query), arguments)

    def _execute(self, query: psycopg.abc.Query) -> None:
        with self._idle() as connection:
            connection.execute(query)

    @contextmanager
    def _idle(self) -> Iterator[psycopg.Connection[tuple[Any, ...]]]:
        """Yield the connection as soon as no reset is under way."""
        with self._lock:
            self._reset.wait()
            yield self._connection

    def _value(self, query: str, *arguments: object) -> Any:
        row = self._run(query, *arguments).fetchone()
        return row[0] if row else None

    def _own(self, query: str) -> str:
        return query.replace("pg_crucible.", f"{self._schema}.")


def _clock() -> float:
    """Return the seconds since a fixed moment, from a clock that libraries such as freezegun do not replace."""
    return time.clock_gettime(time.CLOCK_MONOTONIC)
