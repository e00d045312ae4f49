"""Turns on a session: two tasks or threads must not use it at once, which would corrupt its state."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from ...errors import IsolationError
from ...errors.locations import UNKNOWN, CodeLocation, here

# How long a task that is still in an operation when its test ends may continue, and then take to stop.
PATIENCE_SECONDS = 0.2
CANCEL_SECONDS = 5


class Turns:
    """The task or thread that is in the middle of an operation on one session.

    Args:
        remember: Gets an error before it is raised.
    """

    def __init__(self, remember: Callable[[IsolationError], IsolationError]) -> None:
        self._remember = remember
        self._holder: object = None
        self._location: CodeLocation | None = None
        self._depth = 0

    @contextmanager
    def turn(self) -> Iterator[None]:
        """Run one operation on the session in the block.

        Raises:
            IsolationError: If another task or thread is in the middle of an operation.
        """
        self.check()
        if not self._depth:
            self._holder, self._location = current_holder(), here()
        self._depth += 1
        try:
            yield
        finally:
            self._depth -= 1
            if not self._depth:
                self._holder = None

    async def interrupt(self) -> None:
        """Wait until the task in the middle of an operation has left it; cancel it if it takes too long."""
        task = self._holder
        if not isinstance(task, asyncio.Task) or task is asyncio.current_task():
            return
        before = asyncio.all_tasks()
        # It may have been cancelled before and be cleaning up: another cancellation would interrupt that.
        _, unfinished = await asyncio.wait([task], timeout=PATIENCE_SECONDS)
        for stubborn in unfinished:
            stubborn.cancel()
            await asyncio.wait([stubborn], timeout=CANCEL_SECONDS)
        cancelling = asyncio.all_tasks() - before  # the driver's own tasks that ask the server to cancel the statement
        if cancelling:
            await asyncio.wait(cancelling, timeout=CANCEL_SECONDS)

    def check(self) -> None:
        """Raise if another task or thread is in the middle of an operation."""
        if self._holder is not None and self._holder is not current_holder():
            raise self._remember(_at_once(self._location, here()))


def current_holder() -> object:
    """Return the running task, or the thread."""
    try:
        task = asyncio.current_task()
    except RuntimeError:
        task = None
    return task or threading.current_thread()


def _at_once(first: CodeLocation | None, second: CodeLocation | None) -> IsolationError:
    return IsolationError(
        "The test's session is used by two tasks at the same time.\n"
        f"  one is at     {first or UNKNOWN}\n"
        f"  the other at  {second or UNKNOWN}",
        why="In rollback isolation the test and all requests share one session, and no session can do two things"
        " at once (asyncio.gather over requests, a task that the application starts). In production each request has"
        " its own.",
        do='Write @pytest.mark.crucible(isolation="reset") on this test, or do one thing after the other.',
    )
