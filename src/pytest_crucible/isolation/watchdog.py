"""The watchdog: it ends waits for locks that would never end, while a test runs.

A row that a test flushed and did not commit is locked until the test's transaction ends, and that transaction waits
for the application's answer, which waits for the row. PostgreSQL sees no deadlock, because one of the two waits is
not in the database. So a thread of its own asks the server who waits, and ends what would never end by itself: the
waiting statement is cancelled, and the test fails with both statements and both locations.

What is left alone
------------------
* Waits for a transaction that does something: a queue of SELECT FOR UPDATE moves on by itself, and a
  deadlock that PostgreSQL can see it resolves itself. Only a chain that ends at a transaction which has been idle
  for the whole time counts.
* A wait that ends before the limit: by the application's lock_timeout, by the test's own wait_for().
* Waits for a session-level advisory lock: its holder may be idle for good reasons.

What gives way
--------------
A transaction that only reads, and was open before the test, stands in the way of nothing but DDL and TRUNCATE. Its
holder lets it go, so that the statement goes on.

What it costs
-------------
Nothing is asked before a test has run for a second. Then it is one query on the maintenance database every
quarter of a second: a connection to the worker database would stand in the way of a clone.
"""

from __future__ import annotations

import contextlib
import math
import threading
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from ..control import connect
from ..control.driver import psycopg
from ..errors import BlockedError, CrucibleError
from ..redirect import Opened, opened_by
from ..redirect.forks import Background
from ..worker.worker import Worker

# A statement that has waited this long for an idle transaction is assumed to wait for ever.
LIMIT_SECONDS = 5.0
# What is over by then is not worth a question.
QUIET_SECONDS = 1.0
PAUSE_SECONDS = 0.25

IDLE = ("idle in transaction", "idle in transaction (aborted)")

# Crucible's own connections have a lock_timeout, and the reset knows what to do about it.
WHO_WAITS = """
SELECT extract(epoch FROM clock_timestamp())::float,
       w.pid, w.state, w.query, extract(epoch FROM w.query_start)::float,
       b.pid, b.state, b.query, extract(epoch FROM b.state_change)::float,
       CASE WHEN b.state = 'idle in transaction' AND b.backend_xid IS NULL AND NOT EXISTS (
                 SELECT FROM pg_locks l WHERE l.pid = b.pid AND l.locktype <> 'virtualxid'
                    AND l.mode NOT IN ('AccessShareLock', 'SIReadLock'))
            THEN extract(epoch FROM b.xact_start)::float END
  FROM pg_stat_activity w
 CROSS JOIN unnest(pg_blocking_pids(w.pid)) AS blocker(pid)
  JOIN pg_stat_activity b ON b.pid = blocker.pid
 WHERE w.datname = ANY (%s) AND w.wait_event_type = 'Lock' AND w.application_name <> 'pytest-crucible'
"""
# Once more in the same query, or a statement that has just begun would be cancelled instead.
CANCEL = """
SELECT pg_cancel_backend(pid) FROM pg_stat_activity
 WHERE pid = %s AND wait_event_type = 'Lock' AND extract(epoch FROM query_start)::float = %s
"""


END = "SELECT pg_terminate_backend(%s)"


class Side(NamedTuple):
    """One of the two backends of a wait.

    Attributes:
        pid: The backend.
        state: As in ``pg_stat_activity``.
        query: Its statement, or its last one.
        since: When it began the statement, or became idle; by the server's clock.
        reads_since: When its transaction began, if that is idle and has only read; else None.
    """

    pid: int
    state: str
    query: str
    since: float
    reads_since: float | None = None


class Wait(NamedTuple):
    """A statement, and the idle transaction at the end of the chain that it waits for."""

    waiter: Side
    blocker: Side


@dataclass
class Watched:
    """One phase of a test under the watchdog.

    Attributes:
        name: The test.
        age: For how long it has run, in seconds; counted, since tests stop the clock.
        seen: When each wait was first seen, by the server's clock.
        error: What the phase fails with.
    """

    name: str
    age: float = 0.0
    seen: dict[Wait, float] = field(default_factory=dict)
    error: BlockedError | None = None


class Watchdog:
    """A thread that cancels statements of a test which would wait for ever.

    Attributes:
        limit: For how long a statement may wait for an idle transaction, in seconds.
        test_began: When the test began, by the server's clock; infinite while there is none.
    """

    def __init__(self, worker: Worker) -> None:
        self.limit = LIMIT_SECONDS
        self.test_began = math.inf
        self._worker = worker
        self._watched: Watched | None = None
        self._lock = threading.Lock()
        self._end = threading.Event()
        self._thread = Background("crucible-watchdog", self._run, self._end.set)
        self._connection: psycopg.Connection[tuple[Any, ...]] | None = None

    @contextlib.contextmanager
    def watching(self, name: str) -> Iterator[None]:
        """Watch over one phase of the test *name*.

        Raises:
            BlockedError: If a statement waited for ever, whatever became of it: an application may turn the
                cancelled statement into a response, and a test may pass by accident.
        """
        watched = self._watch(name)
        try:
            yield
        except (KeyboardInterrupt, SystemExit):
            raise
        except BaseException as error:
            self._leave()
            if watched.error is None:
                raise
            raise watched.error from error
        finally:
            self._leave()
        if watched.error is not None:
            raise watched.error

    def close(self) -> None:
        """End the thread and its connection."""
        self._thread.stop()

    # -- the test's side ---------------------------------------------------------------------------------------------

    def _watch(self, name: str) -> Watched:
        watched = self._watched = Watched(name)
        self._thread.start()
        return watched

    def _leave(self) -> None:
        with self._lock:  # a cancellation that is under way belongs to this phase
            self._watched = None

    # -- the thread's side -------------------------------------------------------------------------------------------

    def _run(self) -> None:
        self._end.clear()
        pause = self._pause()
        while not self._end.wait(pause):
            watched = self._watched
            if watched is not None:
                watched.age += pause
            try:
                self._look(watched)
            except (psycopg.Error, CrucibleError):
                self._rest()  # the tests meet the same server, and say what is wrong with it
            pause = self._pause()
        self._rest()

    def _pause(self) -> float:
        return min(PAUSE_SECONDS, self.limit / 4)

    def _look(self, watched: Watched | None) -> None:
        is_due = watched is not None and watched.age >= min(QUIET_SECONDS, self.limit)
        if watched is None or not is_due or not self._worker.started:
            self._rest()
            return
        if self._connection is None:
            self._connection = connect(self._worker.server.connect().address)
        rows = self._connection.execute(WHO_WAITS, (self._worker.names,)).fetchall()
        now = rows[0][0] if rows else 0.0
        edges = [(Side(*row[1:5]), Side(*row[5:10])) for row in rows]
        self._clear(blocker for _, blocker in edges)
        waits = endless(edges)
        watched.seen = {wait: watched.seen.get(wait, now) for wait in waits}
        over = [wait for wait, since in watched.seen.items() if now - since >= self.limit]
        if over:
            self._cancel(watched, over)

    def _clear(self, blockers: Iterable[Side]) -> None:
        """Make older transactions that only read give way."""
        began = self.test_began
        pids = {side.pid for side in blockers if side.reads_since is not None and side.reads_since < began}
        if pids and self._connection is not None:
            self._worker.redirect.holders.let_go_of(pids)
            for pid in pids:  # a driver closes its connection when its event loop runs next
                self._connection.execute(END, (pid,))

    def _cancel(self, watched: Watched, over: list[Wait]) -> None:
        connection = self._connection
        with self._lock:
            if self._watched is not watched or connection is None:
                return
            # Before: the phase may be over as soon as its statement is.
            before = watched.error
            watched.error = before or blocked(watched.name, over, self._worker.redirect.connections(), self.limit)
            done = [connection.execute(CANCEL, (wait.waiter.pid, wait.waiter.since)).fetchone() for wait in over]
            if not any(done):
                watched.error = before

    def _rest(self) -> None:
        connection, self._connection = self._connection, None
        if connection is not None:
            connection.close()


def endless(edges: Iterable[tuple[Side, Side]]) -> list[Wait]:
    """Return the waits among *edges* (waiter, blocker) that end at an idle transaction, directly or through others."""
    waiters: dict[int, Side] = {}
    blockers: dict[int, list[Side]] = {}
    for waiter, blocker in edges:
        waiters[waiter.pid] = waiter
        blockers.setdefault(waiter.pid, []).append(blocker)
    roots = {pid: _root(pid, blockers) for pid in waiters}
    return [Wait(waiters[pid], root) for pid, root in roots.items() if root is not None]


def _root(pid: int, blockers: dict[int, list[Side]]) -> Side | None:
    """Return the idle transaction that *pid* waits for in the end."""
    known = {pid}
    ahead = [*blockers[pid]]
    while ahead:
        blocker = ahead.pop(0)
        if blocker.state in IDLE:
            return blocker
        if blocker.pid not in known:
            known.add(blocker.pid)
            ahead += blockers.get(blocker.pid, ())
    return None


def blocked(name: str, waits: Iterable[Wait], connections: Iterable[Opened], limit: float) -> BlockedError:
    """Return the error for *waits* in the test *name*."""
    known = {opened.pid: opened for opened in connections}
    lines = [f"{name}: a statement waited {limit:g} s for a transaction that is idle, and would have waited for ever."]
    for wait in waits:
        lines += [
            f"  waiting: {_described(wait.waiter, known)}",
            f"  for:     {_described(wait.blocker, known)}",
        ]
    return BlockedError(
        "\n".join([*lines, "The waiting statement has been cancelled."]),
        why="Probably the test has flushed a row (or updated, deleted, locked one) and not committed: no other"
        " transaction can write it before that one ends, and that one waits for the answer. PostgreSQL sees no"
        " deadlock, because one of the two waits is outside the database.",
        do="Commit before calling the application: `await db_session.commit()`. In rollback isolation a commit keeps"
        ' the lock: write @pytest.mark.crucible(isolation="reset") there.',
    )


def _described(side: Side, known: dict[int, Opened]) -> str:
    where = opened_by(known.get(side.pid))
    return f"{' '.join(side.query.split())[:200]}\n           backend {side.pid}, {side.state}, opened {where}"
