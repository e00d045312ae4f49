"""One operation at a time: a session that two tasks, or two threads, use at once does not know what it does."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Iterator
from contextlib import contextmanager

from ..errors import IsolationError
from ..redirect.places import Place, here


class Turns:
    """Whose turn it is on one session."""

    def __init__(self) -> None:
        self._holder: object = None
        self._place: Place | None = None
        self._depth = 0

    @contextmanager
    def turn(self) -> Iterator[None]:
        """One operation on the session.

        Raises:
            IsolationError: If another task or thread is in the middle of one.
        """
        self.check()
        if not self._depth:
            self._holder, self._place = _me(), here()
        self._depth += 1
        try:
            yield
        finally:
            self._depth -= 1
            if not self._depth:
                self._holder = None

    def check(self) -> None:
        """Raise if another task or thread is in the middle of an operation."""
        if self._holder is None or self._holder is (me := _me()) or self._holder == me:
            return
        raise IsolationError(
            "db_session is used by two tasks at the same time.\n"
            f"  one is at     {self._place or 'an unknown place'}\n"
            f"  the other at  {here() or 'an unknown place'}",
            why="In rollback isolation the test and all requests share one session, and no session can do two things"
            " at once (asyncio.gather over requests, a task that the application starts). In production each has its"
            " own.",
            do='Write @pytest.mark.crucible(isolation="reset") on this test, or do one thing after the other.',
        )


def _me() -> object:
    """The running task, or the thread."""
    try:
        task = asyncio.current_task()
    except RuntimeError:
        task = None
    return task or threading.get_ident()
