"""Actors: the functions that run against each other, each held before whatever it sends to the database."""

from __future__ import annotations

import asyncio
import contextvars
import inspect
import threading
from collections import deque
from collections.abc import Callable
from concurrent.futures import Future
from contextvars import ContextVar
from dataclasses import dataclass, field
from typing import Any

from ..errors.locations import CodeLocation
from .orders import letter
from .scheduling import in_thread, is_thread_runnable

# The actor that the running code belongs to, with the tasks and threads that it starts.
ACTOR: ContextVar[Actor | None] = ContextVar("crucible_actor", default=None)


@dataclass(eq=False)
class Step:
    """A statement, commit or rollback of an actor, with all that the actor does until its next one.

    Attributes:
        actor: The actor.
        kind: ``statement``, ``commit`` or ``rollback``.
        sql: The text of a statement, else empty.
        parameters: Its parameters, as text.
        location: The line of the project's code that it comes from, or None.
        pid: The backend of its connection.
        is_first: Whether it is the first statement of its transaction.
        go: Has a result as soon as the step is granted.
        result: What came of it: ``2 rows``, an error, or nothing.
        has_failed: Whether it raised an error.
        is_over: Whether it is executed; what the actor does after it may go on.
        source: The task or thread that it comes from.
        waited_for: The actors that it waited for.
        isolation: The isolation level of its transaction, as far as it is known.
    """

    actor: Actor
    kind: str
    sql: str
    parameters: str
    location: CodeLocation | None
    pid: int
    is_first: bool
    source: object = None
    go: Future[None] = field(default_factory=Future)
    result: str = ""
    has_failed: bool = False
    is_over: bool = False
    waited_for: list[Actor] = field(default_factory=list)
    isolation: str = ""

    @property
    def is_last(self) -> bool:
        """True if it is over and its task is done: nothing can follow it."""
        return self.is_over and isinstance(self.source, asyncio.Task) and self.source.done()


class Actor:
    """One of the functions of a race, in one order.

    Args:
        number: Its number, from 0.
        function: A coroutine function, or a function without arguments: that is called in a thread, and what it
            returns is awaited if it can be.

    Attributes:
        held: The steps before which it is held: several, where it has tasks or threads of its own.
        under_way: The steps that were granted and are not over yet, by backend.
        is_connecting: Whether it opens a connection.
        threads: The native identifiers of the threads in which it has executed something.
        is_starting: Whether its thread has not begun yet.
        silent: For how long it has done nothing that can be seen, in seconds.
    """

    def __init__(self, number: int, function: Callable[[], Any]) -> None:
        self.number = number
        self.function = function
        self.held: deque[Step] = deque()
        self.under_way: dict[int, Step] = {}
        self.is_connecting = False
        self.threads: set[int] = set()
        self.is_starting = False
        self.silent = 0.0
        self._task: asyncio.Task[Any] | None = None

    @property
    def name(self) -> str:
        """Its letter."""
        return letter(self.number).upper()

    def start(self) -> asyncio.Task[Any]:
        """Begin to run the function, in a task of its own."""
        self._task = asyncio.ensure_future(self._run())
        return self._task

    async def _run(self) -> Any:
        ACTOR.set(self)
        try:
            return await self._result()
        except (KeyboardInterrupt, SystemExit) as error:  # raised in a task, it would end the event loop at once
            return error

    async def _result(self) -> Any:
        if inspect.iscoroutinefunction(self.function):
            return await self.function()
        context = contextvars.copy_context()
        self.is_starting = True
        result = await asyncio.wrap_future(in_thread(lambda: context.run(self._call)))
        return await result if inspect.isawaitable(result) else result

    def hold(self, step: Step) -> None:
        """Be held before *step*: those that were under way before it in the same task, or are executed, are over."""
        self.under_way = {
            pid: other
            for pid, other in self.under_way.items()
            if pid != step.pid and other.source != step.source and not other.is_over
        }
        self.held.append(step)

    def _call(self) -> Any:
        self.threads.add(threading.get_native_id())
        self.is_starting = False
        return self.function()

    @property
    def is_busy(self) -> bool:
        """True if it begins or connects, or if a thread of it runs."""
        return self.is_starting or self.is_connecting or any(map(is_thread_runnable, self.threads))

    @property
    def is_done(self) -> bool:
        """True if the function has returned, or raised an error."""
        return self._task is not None and self._task.done()

    @property
    def is_at_rest(self) -> bool:
        """True if it is done or has not begun, or if it is held and nothing that it has sent is under way."""
        if self._task is None or self.is_done:
            return True
        return bool(self.held) and all(step.is_over for step in self.under_way.values())

    @property
    def outcome(self) -> Any:
        """The value that the function returned, or the exception that it raised."""
        if self._task is None or self._task.cancelled():
            return asyncio.CancelledError()
        return self._task.exception() or self._task.result()
