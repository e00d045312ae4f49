"""The reset of a worker database after a test, with transactions still open on it.

Transactions that must not stay (see `leaks`) get a second look, and then give way: the session or connection that
holds one rolls it back. A backend is ended only where no holder in this process can do so.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Iterable

from ..control import Answer, OtherBackend
from ..errors import ResetError
from ..redirect import Opened, Redirect
from ..redirect.loops import running_loop
from ..worker.database import Database
from .leaks import Circumstances, Key, Leak, in_the_way, judge

ATTEMPTS = 50
# A second look, and more: a request that was answered may still be committing in a thread.
LOOKS = (0.002, 0.005, 0.02)
# What the threads and tasks of wide owners get to finish what they write.
BUSY_SECONDS = 1.0
# A session that has joined its connection's transaction needs two rollbacks: its own, then the connection's.
ROLLBACKS = 2

ROLLED_BACK = "The transaction has been rolled back."
ENDED = "Its backend has been ended."


class DatabaseReset:
    """One reset of one worker database."""

    def __init__(self, database: Database, redirect: Redirect, now: Circumstances) -> None:
        self._database = database
        self._redirect = redirect
        self._now = now
        self._found: dict[Key, Leak] = {}
        self._allowed: set[int] = set()
        self._rollbacks: dict[int, int] = {}
        self._looks = list(LOOKS)
        self._patience = BUSY_SECONDS
        self._every = now.every
        self._is_sent = False

    def send(self) -> None:
        """Send the reset."""
        with self._redirect.keep_targets():  # a checkout that comes later waits for the reset
            held = self._redirect.is_held(self._database.name)
            self._database.send_reset(tuple(self._allowed), held=held, every_one=self._every)
        self._is_sent = True

    def finish(self) -> list[Leak]:
        """Wait for the reset, and repeat it until it is done; return what was left open and had to give way.

        Raises:
            ResetError: If new transactions come up as fast as they are ended.
        """
        return self._until_done(self._reset)

    def end_leaks(self) -> list[Leak]:
        """Make leaks give way without a reset: the database is about to go."""
        return self._until_done(self._other_backends)

    def leaks_now(self) -> list[Leak]:
        """Return the leaks that a second look finds still open; none of them gives way."""
        for seconds in (*self._looks, None):
            answer = self._other_backends()
            connections = self._redirect.connections()
            leaks = judge(answer.backends, connections, self._now).leaks
            if not leaks or seconds is None:
                return leaks
            give_time(connections, seconds)
        return []

    def _until_done(self, ask: Callable[[], Answer]) -> list[Leak]:
        for _ in range(ATTEMPTS):
            answer = ask()
            if answer.done == "locked":
                self._clear_the_way()
            elif answer.done == "open":
                self._look(answer.backends)
            else:
                self._redirect.condemn(answer.temporary)
                return list(self._found.values())
        raise ResetError(
            "The worker database could not be reset: new transactions are opened as fast as they are ended.",
            why="A thread, a subprocess or a task goes on working on the database after its test.",
            do="Stop it at the end of the test, or give it to a fixture of a wider scope.",
        )

    def _reset(self) -> Answer:
        if not self._is_sent:
            self.send()
        self._is_sent = False
        return self._database.answer()

    def _other_backends(self) -> Answer:
        if self._database.is_quiet(held=self._redirect.is_held(self._database.name)):
            return Answer("reset")
        open_ = self._database.connect().others_in_transactions()
        open_ = tuple(s for s in open_ if s.pid not in self._allowed and (self._every or not s.harmless))
        return Answer("open", backends=open_) if open_ else Answer("reset")

    def _look(self, backends: tuple[OtherBackend, ...]) -> None:
        """Decide which transactions stay; the others get a second look, and give way then."""
        connections = self._redirect.connections()
        verdict = judge(backends, connections, self._now)
        if (verdict.leaks or verdict.new) and self._looks:
            give_time(connections, self._looks.pop(0))
            return
        self._every = False  # once is enough
        for leak in verdict.leaks:
            self._end(leak)
        for leak in verdict.harmless:
            self._found[leak.backend.key] = leak
        # A thread or a task is about to commit, and would do so in the next test.
        self._wait_until(lambda open_: not verdict.busy & {s.key for s in open_})
        self._allowed |= verdict.stay | verdict.new
        self._now.before |= {s.key for s in backends if s.pid in verdict.stay and not s.is_clean}

    def _clear_the_way(self) -> None:
        """Wait for backends that lock what must be reset; those that do not release it in time give way."""
        control = self._database.connect()
        pids = control.in_the_way()
        if self._wait_until(lambda open_: not pids & {backend.pid for backend in open_}):
            return
        open_, connections = control.others_in_transactions(), self._redirect.connections()
        for leak in in_the_way(open_, connections, pids, self._now):
            self._end(leak)

    def _wait_until(self, done: Callable[[tuple[OtherBackend, ...]], bool]) -> bool:
        """Let the event loops run until *done*, within what is left of the time that busy owners get after a test."""
        while not done(self._database.connect().others_in_transactions()):
            if self._patience <= 0:
                return False
            started = time.monotonic()
            give_time(self._redirect.connections(), 0.005)
            self._patience -= time.monotonic() - started
        return True

    def _end(self, leak: Leak) -> None:
        """Roll *leak* back through its holder; where that cannot, end its backend."""
        backend, control = leak.backend, self._database.connect()
        if backend.is_prepared:
            control.roll_back_prepared(backend.query)
        elif not self._rolled_back(backend):
            leak = leak._replace(outcome=ENDED)
            self._redirect.condemn([backend.pid])
            control.terminate([backend.pid])
            if backend.state != "active":  # else a thread or a task uses the holder at this moment
                self._redirect.holders.let_go_of([backend.pid])
        if leak.outcome != ENDED:
            leak = leak._replace(outcome=ROLLED_BACK)
        self._found[backend.key] = leak

    def _rolled_back(self, backend: OtherBackend) -> bool:
        rollbacks = self._rollbacks[backend.pid] = self._rollbacks.get(backend.pid, 0) + 1
        is_idle = backend.state.startswith("idle in transaction")
        return is_idle and rollbacks <= ROLLBACKS and self._redirect.holders.roll_back(backend.pid)


def give_time_while(busy: Callable[[], bool], redirect: Redirect) -> None:
    """Let event loops and threads run while they are *busy*, for a bounded time."""
    until = time.monotonic() + BUSY_SECONDS
    while busy() and time.monotonic() < until:
        give_time(redirect.connections(), 0.005)


def give_time(connections: Iterable[Opened], seconds: float) -> None:
    """Let the event loops of *connections* run for *seconds*, so that what is about to end can."""
    loops = {opened.loop for opened in connections if opened.loop is not None}
    idle = [loop for loop in loops if not loop.is_closed() and not loop.is_running()]
    if not idle or running_loop() is not None:
        time.sleep(seconds)
        return
    for loop in idle:
        loop.run_until_complete(asyncio.sleep(seconds))
