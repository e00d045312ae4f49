"""One operation at a time: a session that two tasks, or two threads, use at once does not know what it does."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from ...errors import IsolationError
from ...errors.locations import CodeLocation, here

# For how long a task that is still at work when its test ends may go on, and how long it may take to stop then.
PATIENCE_SECONDS = 0.2
CANCEL_SECONDS = 5


class Turns:
    """Whose turn it is on one session.

    Args:
        found: Is told of an error before it is raised.
    """

    def __init__(self, found: Callable[[IsolationError], IsolationError]) -> None:
        self._found = found
        self._holder: object = None
        self._place: CodeLocation | None = None
        self._depth = 0

    @contextmanager
    def turn(self) -> Iterator[None]:
        """One operation on the session.

        Raises:
            IsolationError: If another task or thread is in the middle of one.
        """
        self.check()
        if not self._depth:
            self._holder, self._place = whose_turn(), here()
        self._depth += 1
        try:
            yield
        finally:
            self._depth -= 1
            if not self._depth:
                self._holder = None

    async def interrupt(self) -> None:
        """Wait until the task that is in the middle of an operation has left it, and cancel it if it does not."""
        task = self._holder
        if not isinstance(task, asyncio.Task) or task is asyncio.current_task():
            return
        before = asyncio.all_tasks()
        # It may have been cancelled before and be tidying up: cancelled once more, it would leave that.
        _, at_work = await asyncio.wait([task], timeout=PATIENCE_SECONDS)
        for stubborn in at_work:
            stubborn.cancel()
            await asyncio.wait([stubborn], timeout=CANCEL_SECONDS)
        asking = asyncio.all_tasks() - before  # the driver's own: they ask the server to cancel the statement
        if asking:
            await asyncio.wait(asking, timeout=CANCEL_SECONDS)

    def check(self) -> None:
        """Raise if another task or thread is in the middle of an operation."""
        if self._holder is not None and self._holder is not whose_turn():
            raise self._found(_at_once(self._place, here()))


def whose_turn() -> object:
    """The running task, or the thread."""
    try:
        task = asyncio.current_task()
    except RuntimeError:
        task = None
    return task or threading.current_thread()


def _at_once(one: CodeLocation | None, other: CodeLocation | None) -> IsolationError:
    return IsolationError(
        "The test's session is used by two tasks at the same time.\n"
        f"  one is at     {one or 'an unknown place'}\n"
        f"  the other at  {other or 'an unknown place'}",
        why="In rollback isolation the test and all requests share one session, and no session can do two things"
        " at once (asyncio.gather over requests, a task that the application starts). In production each has its"
        " own.",
        do='Write @pytest.mark.crucible(isolation="reset") on this test, or do one thing after the other.',
    )
