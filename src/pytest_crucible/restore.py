"""Put the worker database back after a test, whatever is still open on it.

What a test left open is looked at again, then ended. What the application's lifespan or a fixture of a wider scope
has open may stay, unless it locks what must be put back: then it gets time to end, and after that it has to go.
"""

from __future__ import annotations

import time
from collections.abc import Callable

from .database import Database
from .errors import ResetError
from .leaks import LIFESPAN_SECONDS, LOOKS, Leak, give_time, in_the_way, judge
from .lifespans import LIFESPAN
from .redirect import Redirect
from .reset import LockNotAvailable, Stranger

ATTEMPTS = 50


class Restore:
    """One restoration of one worker database.

    Args:
        database: The worker database.
        redirect: Knows the connections to it.
        began: When the test began, by the server's clock.
    """

    def __init__(self, database: Database, redirect: Redirect, began: float) -> None:
        self.leaks: list[Leak] = []
        self._database = database
        self._redirect = redirect
        self._began = began
        self._allowed: set[int] = set()
        self._looks = list(LOOKS)
        self._patience = LIFESPAN_SECONDS

    def run(self) -> list[Leak]:
        """Put the database back; returns what was left open and has been ended.

        Raises:
            ResetError: If new transactions come up as fast as they are ended.
        """
        for _ in range(ATTEMPTS):
            try:
                answer = self._database.put_back(tuple(self._allowed))
            except LockNotAvailable:
                self._clear_the_way()
                continue
            if answer.done != "open":
                self._redirect.condemn(answer.temporary)
                return self.leaks
            self._look(answer.strangers)
        raise ResetError(
            "The worker database could not be put back: new transactions are opened as fast as they are ended.",
            why="A thread, a subprocess or a task goes on working on the database after its test.",
            do="Stop it at the end of the test, or give it to a fixture of a wider scope.",
        )

    def _look(self, strangers: tuple[Stranger, ...]) -> None:
        """Decide who may stay; the others get a second look, and are ended then."""
        connections = self._redirect.connections()
        new, stay = judge(strangers, connections, self._began)
        if new and self._looks:
            give_time(connections, self._looks.pop(0))
            return
        if new:
            self._end(new)
        of_lifespan = {opened.pid for opened in connections if opened.owner == LIFESPAN}
        writing = {stranger.pid for stranger in strangers if stranger.wrote}
        if of_lifespan & writing & stay:
            # A task of the application is about to commit, and would do so in the next test.
            self._wait_until(lambda open_: not of_lifespan & {s.pid for s in open_ if s.wrote})
        self._allowed |= stay

    def _clear_the_way(self) -> None:
        """Somebody who may stay holds a lock on what must be put back: he may not stay much longer."""
        control = self._database.control
        pids = control.in_the_way()
        if self._wait_until(lambda open_: not pids & {stranger.pid for stranger in open_}):
            return
        self._end(in_the_way(control.others_in_transactions(), self._redirect.connections(), pids))

    def _wait_until(self, done: Callable[[tuple[Stranger, ...]], bool]) -> bool:
        """Let the event loops run until *done*, within what is left of the time that a lifespan gets after a test."""
        while not done(self._database.control.others_in_transactions()):
            if self._patience <= 0:
                return False
            started = time.monotonic()
            give_time(self._redirect.connections(), 0.005)
            self._patience -= time.monotonic() - started
        return True

    def _end(self, leaks: list[Leak]) -> None:
        pids = [leak.stranger.pid for leak in leaks]
        self._redirect.condemn(pids)
        self._database.control.terminate(pids)
        self.leaks += leaks
