"""The locks of backends: what each transaction has read and written, and whether a backend waits for another one.

``pg_locks`` shows every lock of a transaction until its end (PostgreSQL manual, 53.13 and 13.3): a relation that it
has read is locked in ACCESS SHARE mode, one that it has written, or whose rows it has locked, in ROW EXCLUSIVE or ROW
SHARE.
"""

from __future__ import annotations

from collections.abc import Collection
from typing import Any, NamedTuple

from ..server.address import Address
from .admin import connect
from .driver import psycopg

LOOK = """
SELECT a.pid, a.datname, a.state,
       coalesce(bool_or(NOT l.granted), false),
       extract(epoch FROM clock_timestamp() - min(l.waitstart))::float,
       coalesce(array_agg(l.relation) FILTER (WHERE l.locktype = 'relation' AND l.mode = 'AccessShareLock'), '{}'),
       coalesce(array_agg(l.relation) FILTER (
           WHERE l.locktype = 'relation' AND l.mode IN ('RowShareLock', 'RowExclusiveLock')), '{}'),
       coalesce(bool_or(CASE l.locktype
           WHEN 'relation' THEN l.mode NOT IN ('AccessShareLock', 'RowShareLock', 'RowExclusiveLock')
           ELSE l.locktype NOT IN ('transactionid', 'virtualxid', 'tuple') END), false)
  FROM pg_stat_activity a LEFT JOIN pg_locks l USING (pid)
 WHERE a.pid = ANY (%s)
 GROUP BY a.pid, a.datname, a.state
"""
BLOCKERS = "SELECT pg_blocking_pids(%s)"
TIMEOUT = "SELECT extract(epoch FROM current_setting('deadlock_timeout')::interval)::float"
OWN = "SELECT coalesce(array_agg(oid), '{}') FROM pg_class WHERE relnamespace = ANY (%s::text[]::regnamespace[])"
# Code, of statements and of a schema alike, whose effects no lock shows; a table may have a name such as notifications
# or snapshots. PostgreSQL writes the edge of a word as ``\y`` (manual, 9.7.3.5), Python as ``\b``.
UNSEEN = (
    r"nowait|skip\s+locked|\ynotify\y|pg_notify|advisory\w*lock|set\s+constraints|\ydblink"
    r"|txid_|xact_id|_snapshot\s*\(|pg_locks|pg_stat"
)
# Code whose value is the time of the transaction's first statement, or of the present one.
CLOCK = r"now\s*\(|_timestamp|localtime|current_time|current_date"
# Where a schema asks for the present moment, the first statement of a transaction does not fix it.
MOMENT = r"clock_timestamp|statement_timestamp|uuidv7"
CODE = """
SELECT coalesce(bool_or(code ~* %s), false) OR EXISTS (SELECT FROM pg_foreign_table),
       coalesce(bool_or(code ~* %s), false)
  FROM (SELECT concat(prosrc, pg_get_function_sqlbody(p.oid)), pronamespace FROM pg_proc p
        UNION ALL SELECT pg_get_expr(adbin, adrelid), relnamespace FROM pg_attrdef JOIN pg_class c ON c.oid = adrelid
        UNION ALL SELECT pg_get_ruledef(r.oid), relnamespace FROM pg_rewrite r JOIN pg_class c ON c.oid = ev_class
        UNION ALL SELECT pg_get_constraintdef(oid), connamespace FROM pg_constraint WHERE contype = 'c'
        UNION ALL SELECT pg_get_triggerdef(t.oid), relnamespace FROM pg_trigger t JOIN pg_class c ON c.oid = tgrelid
        UNION ALL SELECT concat(pg_get_expr(polqual, polrelid), pg_get_expr(polwithcheck, polrelid)), relnamespace
                    FROM pg_policy JOIN pg_class c ON c.oid = polrelid
       ) _ (code, namespace) JOIN pg_namespace n ON n.oid = namespace
 WHERE nspname NOT IN ('pg_catalog', 'information_schema', 'pg_crucible', 'crucible')
"""


class BackendLocks(NamedTuple):
    """The state of one backend, and the locks of its transaction.

    Attributes:
        pid: The backend.
        database: The database that it is connected to.
        state: As in ``pg_stat_activity``.
        is_waiting: Whether it waits for a lock.
        waited: For how long, in seconds; None where it does not wait, or has only just begun.
        read: The oids of relations that it has read.
        written: The oids of relations that it has written, or whose rows it has locked.
        has_others: Whether it has locks of other kinds: advisory, predicate, whole tables.
    """

    pid: int
    database: str
    state: str
    is_waiting: bool
    waited: float | None
    read: list[int]
    written: list[int]
    has_others: bool

    @property
    def is_idle(self) -> bool:
        """True if it executes nothing."""
        return self.state.startswith("idle")


class LockObserver:
    """A connection that looks at the locks of other backends.

    Args:
        maintenance: The maintenance database: a connection to a worker database would stand in the way of a clone.
        databases: The worker databases.

    Attributes:
        own: Crucible's own relations: database and oid.
        sees_all: Whether the locks show all that code in the schemas of these databases can do to other transactions.
        uses_clock: Whether code in their schemas asks for the time.
        deadlock_seconds: After how long a wait the server looks for a deadlock.
    """

    def __init__(self, maintenance: Address, databases: Collection[Address]) -> None:
        self.own: set[tuple[str, int]] = set()
        self.sees_all, self.uses_clock = True, False
        for address in databases:
            with connect(address) as connection:
                schemas = _value(connection, "SELECT array_agg(nspname) FROM pg_namespace WHERE nspname ~ 'crucible$'")
                self.own.update((address.database, oid) for oid in _value(connection, OWN, schemas or []))
                has_unseen, has_clock = _row(connection, CODE, f"{UNSEEN}|{MOMENT}", CLOCK) or (False, False)
                self.sees_all = self.sees_all and not has_unseen
                self.uses_clock = self.uses_clock or has_clock
        self._connection = connect(maintenance)
        self.deadlock_seconds = float(_value(self._connection, TIMEOUT))

    def close(self) -> None:
        """Close the connection."""
        self._connection.close()

    def look(self, pids: Collection[int]) -> dict[int, BackendLocks]:
        """Return what the backends *pids* do; one that has ended is left out."""
        rows = self._connection.execute(LOOK, (list(pids),), prepare=True).fetchall()
        return {row[0]: BackendLocks(*row) for row in rows}

    def blockers(self, pid: int) -> list[int]:
        """Return the backends that *pid* waits for."""
        return list(_value(self._connection, BLOCKERS, pid))


def _row(connection: psycopg.Connection[tuple[Any, ...]], query: str, *arguments: object) -> tuple[Any, ...] | None:
    return connection.execute(query, arguments or None).fetchone()


def _value(connection: psycopg.Connection[tuple[Any, ...]], query: str, *arguments: object) -> Any:
    row = _row(connection, query, *arguments)
    return row and row[0]
