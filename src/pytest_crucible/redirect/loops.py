"""Event loops, and the closing of their resources while they can still run."""

from __future__ import annotations

import asyncio
import contextlib
import sys
import threading
import weakref
from collections.abc import AsyncGenerator, Awaitable, Callable
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from .connection_registry import Registry

Loop = asyncio.AbstractEventLoop
Close = Callable[[], Awaitable[None]]
# anyio runs all tests and fixtures of a loop in one task, which waits there for the next one.
RUNNERS = ("TestRunner._run_tests_and_fixtures",)


def running_loop() -> Loop | None:
    """Return the loop that runs in this thread, or None."""
    try:
        return asyncio.get_running_loop()
    except RuntimeError:
        return None


def current_task() -> Callable[[], asyncio.Task[Any] | None]:
    """Return a weak reference to the task that runs in this thread; without one, its call returns None."""
    task = asyncio.current_task() if running_loop() is not None else None
    return (lambda: None) if task is None else weakref.ref(task)


def is_runner(task: asyncio.Task[Any]) -> bool:
    """Return whether *task* is one that runs tests and fixtures."""
    return getattr(task.get_coro(), "__qualname__", "") in RUNNERS


def on_trio() -> bool:
    """Return whether a task of trio runs in this thread."""
    trio = sys.modules.get("trio")
    if trio is None:
        return False
    try:
        trio.lowlevel.current_task()
    except RuntimeError:
        return False
    return True


class Janitor:
    """A janitor that runs closers at the end of each watched loop.

    It learns of the end in two ways. An async generator left open on the loop is finalised by
    ``loop.shutdown_asyncgens()``, which `asyncio.run`, `asyncio.Runner`, pytest-asyncio and anyio all call. A loop that
    is closed without that call finalises no generator: ``close`` of that one loop object is wrapped, and the closers
    run before it.
    """

    def __init__(self, registry: Registry) -> None:
        self._registry = registry  # its connections are closed after the closers
        self._closers: weakref.WeakKeyDictionary[Loop, list[Close]] = weakref.WeakKeyDictionary()
        # A loop refers to its generators weakly; without this, each would be finalised at once.
        self._generators: weakref.WeakKeyDictionary[Loop, AsyncGenerator[None, None]] = weakref.WeakKeyDictionary()

    def watch(self, loop: Loop) -> None:
        """Run the closers of *loop* at its end."""
        if loop not in self._closers:
            self._closers[loop] = []
            self._wrap_close(loop)
        if loop not in self._generators and running_loop() is loop:
            self._leave_generator(loop)

    def before_end(self, loop: Loop, close: Close) -> None:
        """Run *close* on *loop* at its end; the closer added last runs first."""
        self.watch(loop)
        self._closers[loop].append(close)

    def finish(self, loop: Loop) -> None:
        """Run the closers of *loop*, which must not be running."""
        if loop.is_closed() or loop.is_running() or not (self._closers.get(loop) or self._registry.on(loop)):
            return
        if running_loop() is None:
            loop.run_until_complete(self._sweep(loop))
        else:  # asyncio runs no second loop in a thread, even while the first one waits
            thread = threading.Thread(target=lambda: loop.run_until_complete(self._sweep(loop)))
            thread.start()
            thread.join()

    async def _sweep(self, loop: Loop) -> None:
        closers = self._closers.get(loop, [])
        try:
            while closers:
                await closers.pop()()
        finally:
            await self._registry.close_on(loop)

    def _leave_generator(self, loop: Loop) -> None:
        generator = self._generators[loop] = self._generator()
        with contextlib.suppress(StopIteration):
            # The first step registers it through the running loop's hooks, and awaits nothing.
            generator.__anext__().send(None)

    async def _generator(self) -> AsyncGenerator[None, None]:
        # It must not refer to the loop, which would then never be collected.
        try:
            yield
        finally:
            await self._sweep(asyncio.get_running_loop())

    def _wrap_close(self, loop: Loop) -> None:
        close = loop.close

        def swept_close() -> None:
            try:
                self.finish(loop)
            finally:
                vars(loop).pop("close", None)  # else the loop would refer to itself
                close()
                # A generator refers to its loop, through the hook that finalises it. Collected before the loop is
                # closed, it would be finalised in a task on that loop that never runs.
                self._generators.pop(loop, None)

        with contextlib.suppress(AttributeError):  # a loop without a __dict__ cannot be wrapped
            loop.close = swept_close  # type: ignore[method-assign]
