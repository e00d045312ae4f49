"""Tasks that a test leaves behind on an event loop that lives on: they go on working in the next test.

A task is reported if it was created in the test and is still pending at a second look. Not so the tasks of the
application's lifespan and of fixtures of wider scopes (they carry their owner in their context, and so do the tasks
that they create), and the task that the runner of the tests keeps on the loop.

A reported task goes on as it would without Crucible. Where the user made the warning an error, the tasks are
cancelled too, so that the next test starts clean:
``filterwarnings = ["error::pytest_crucible.PendingTaskWarning"]``.
"""

from __future__ import annotations

import asyncio
import gc
import warnings
import weakref
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from contextvars import Context
from typing import Any

from ..errors import PendingTaskWarning
from ..errors.locations import UNKNOWN, innermost, suspended
from ..redirect import Redirect
from ..redirect.loops import is_runner

Task = asyncio.Task[Any]
Loop = asyncio.AbstractEventLoop

# The time for tasks that are about to end: an answered request's background task, a connection that is being closed.
PATIENCE_SECONDS = 0.03
CANCEL_SECONDS = 1.0


class PendingTasks:
    """The tasks of one test, on every loop that outlives it.

    Args:
        redirect: The redirect, which knows the owner of the code that runs, and the loops of connections.

    Attributes:
        loops: Further loops that tests run on.
    """

    def __init__(self, redirect: Redirect) -> None:
        self.loops: weakref.WeakSet[Loop] = weakref.WeakSet()
        self._redirect = redirect
        self._owner = redirect.owner
        self._known: weakref.WeakSet[Task] = weakref.WeakSet()

    @contextmanager
    def reported(self) -> Iterator[None]:
        """Report the tasks that are created in here and left pending."""
        for loop in self._idle():
            for task in asyncio.all_tasks(loop):
                if task not in self._known:
                    self._known.add(task)
                    self._disown(task)
        yield
        self._report(self._left())

    def _idle(self) -> list[Loop]:
        return [
            loop for loop in {*self.loops, *self._redirect.loops()} if not loop.is_closed() and not loop.is_running()
        ]

    def _disown(self, task: Task) -> None:
        """Take the owner from a runner that a wide fixture's set-up has started: the tests run in it."""
        context = context_of(task) if is_runner(task) else None
        if context is not None and context.get(self._owner) is not None:
            context.run(self._owner.set, None)

    def _left(self) -> list[Task]:
        left: list[Task] = []
        for loop in self._idle():
            new = [task for task in asyncio.all_tasks(loop) if self._is_new(task)]
            if new:
                _, pending = loop.run_until_complete(asyncio.wait(new, timeout=PATIENCE_SECONDS))
                left += sorted(pending, key=Task.get_name)
        self._known.update(left)
        return left

    def _is_new(self, task: Task) -> bool:
        if task in self._known or is_runner(task):
            return False
        context = context_of(task)
        return context is None or context.get(self._owner) is None

    @staticmethod
    def _report(left: list[Task]) -> None:
        if not left:
            return
        try:
            warnings.warn(PendingTaskWarning("\n".join(map(described, left)) + ADVICE), stacklevel=4)
        except PendingTaskWarning:
            cancel(left)
            raise


ADVICE = (
    "\nProbably asyncio.create_task() in a request or in the test, without an await; it goes on in the next test.\n"
    "Await it or cancel it before the test ends, give it to the lifespan or to a fixture of a wider scope, or"
    ' write filterwarnings = ["error::pytest_crucible.PendingTaskWarning"]: then it is an error, and cancelled.'
)


def described(task: Task) -> str:
    """Return a line on *task*: its name, its coroutine, and the project's line where it is suspended."""
    coroutine = task.get_coro()
    name = getattr(coroutine, "__qualname__", None) or repr(coroutine)
    location = [line for frame in suspended(coroutine) if (line := innermost(frame))][-1:]
    where = location[0] if location else UNKNOWN
    return f"The test left a task behind: {task.get_name()}, coroutine {name}, suspended at {where}."


def context_of(task: Task) -> Context | None:
    """Return the context that *task* runs in."""
    if hasattr(task, "get_context"):  # Python 3.12
        return task.get_context()  # type: ignore[no-any-return]
    return next((referent for referent in gc.get_referents(task) if isinstance(referent, Context)), None)


def cancel(tasks: Iterable[Task]) -> None:
    """Cancel *tasks*, each on its loop, and give them a moment to end."""
    by_loop: dict[Loop, list[Task]] = {}
    for task in tasks:
        task.cancel()
        by_loop.setdefault(task.get_loop(), []).append(task)
    for loop, cancelled in by_loop.items():
        loop.run_until_complete(asyncio.wait(cancelled, timeout=CANCEL_SECONDS))
