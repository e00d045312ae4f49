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
SELECT a.pid, a.state,
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
 GROUP BY a.pid, a.state
"""
BLOCKERS = "SELECT pg_blocking_pids(%s)"
TIMEOUT = "SELECT extract(epoch FROM current_setting('deadlock_timeout')::interval)::float"
OWN = "SELECT coalesce(array_agg(oid), '{}') FROM pg_class WHERE relnamespace = ANY (%s::text[]::regnamespace[])"
# Functions with effects that no lock shows, or that depend on the moment.
UNSEEN = r"""
SELECT EXISTS (SELECT FROM pg_proc p JOIN pg_namespace n ON n.oid = pronamespace
                WHERE n.nspname NOT IN ('pg_catalog', 'information_schema', 'pg_crucible', 'crucible')
                  AND prosrc ~* '\y(advisory|nowait|skip\s+locked|notify|dblink)')
"""


class BackendLocks(NamedTuple):
    """The state of one backend, and the locks of its transaction.

    Attributes:
        pid: The backend.
        state: As in ``pg_stat_activity``.
        is_waiting: Whether it waits for a lock.
        waited: For how long, in seconds; None where it does not wait, or has only just begun.
        read: The oids of relations that it has read.
        written: The oids of relations that it has written, or whose rows it has locked.
        has_others: Whether it has locks of other kinds: advisory, predicate, whole tables.
    """

    pid: int
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
        own: The oids of Crucible's own relations.
        sees_all: Whether the locks show all that a transaction of these databases can do to another one.
        deadlock_seconds: After how long a wait the server looks for a deadlock.
    """

    def __init__(self, maintenance: Address, databases: Collection[Address]) -> None:
        self.own: set[int] = set()
        self.sees_all = True
        for address in databases:
            with connect(address) as connection:
                schemas = _value(connection, "SELECT array_agg(nspname) FROM pg_namespace WHERE nspname ~ 'crucible$'")
                self.own.update(_value(connection, OWN, schemas or []))
                self.sees_all = self.sees_all and not _value(connection, UNSEEN)
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


def _value(connection: psycopg.Connection[tuple[Any, ...]], query: str, *arguments: object) -> Any:
    row = connection.execute(query, arguments or None).fetchone()
    return row and row[0]
