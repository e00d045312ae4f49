"""Calls of an application, each in a task of its own on the running event loop, as by a server."""

from __future__ import annotations

import asyncio
import contextvars
from collections import deque
from collections.abc import Callable, Coroutine
from typing import Any

import anyio
import anyio.lowlevel

from ..errors.locations import REQUEST
from ..redirect.loops import running_loop

# How long an application that was cancelled may take to stop.
STOP_SECONDS = 2.0
# How many bytes an application may send before its client has read them; uvicorn's limit.
HIGH_WATER = 65_536


class Signal:
    """A signal that wakes the tasks that wait for a condition."""

    def __init__(self) -> None:
        self._event: anyio.Event | None = None  # made only when a task waits: a long answer notifies often

    def notify(self) -> None:
        """Make every waiting task check its condition again."""
        event, self._event = self._event, None
        if event is not None:
            event.set()

    async def until(self, condition: Callable[[], Any]) -> None:
        """Wait until *condition* holds."""
        while not condition():
            if self._event is None:
                self._event = anyio.Event()
            await self._event.wait()


async def pause() -> None:
    """Let every task that can run take its next step."""
    # anyio does the same, and takes half as long again, since it asks which library runs.
    await (anyio.lowlevel.checkpoint() if running_loop() is None else asyncio.sleep(0))


class Call:
    """One call of an application. It has a copy of the caller's context.

    Args:
        run: Calls the application.
        signal: Is notified when the application has returned or raised.
        name: The name of the task.
    """

    def __init__(self, run: Callable[[], Coroutine[Any, Any, None]], signal: Signal, name: str) -> None:
        self.ended = False
        self.error: BaseException | None = None
        self._signal = signal
        self._cancel = _start(lambda: self._guarded(run), name)

    async def _guarded(self, run: Callable[[], Coroutine[Any, Any, None]]) -> None:
        __tracebackhide__ = True  # an error of the application is shown without the frames around it
        REQUEST.set(object())
        try:
            await run()
        except (KeyboardInterrupt, SystemExit):
            raise
        except BaseException as error:  # noqa: BLE001 # it is raised in the task that waits for the answer
            self.error = error
        finally:
            self.ended = True
            self._signal.notify()

    async def stop(self, patience: float) -> None:
        """Wait until the application has ended; cancel it if it does not within *patience*, in seconds."""
        with anyio.CancelScope(shield=True):
            if await self._ends_within(patience):
                return
            self._cancel()
            if await self._ends_within(STOP_SECONDS):
                self.error = None

    async def _ends_within(self, seconds: float) -> bool:
        if not self.ended and seconds:
            with anyio.move_on_after(seconds):
                await self._signal.until(lambda: self.ended)
        return self.ended

    def take_error(self) -> BaseException | None:
        """Return the error that the application raised; the second time, None."""
        error, self.error = self.error, None
        return error


def _start(run: Callable[[], Coroutine[Any, Any, None]], name: str) -> Callable[[], object]:
    """Start a task that is not awaited; return the function that cancels it."""
    loop = running_loop()
    return _start_on_trio(run, name) if loop is None else loop.create_task(run(), name=name).cancel


def _start_on_trio(run: Callable[[], Coroutine[Any, Any, None]], name: str) -> Callable[[], object]:
    import trio

    scope = trio.CancelScope()

    async def scoped() -> None:
        with scope:
            await run()

    trio.lowlevel.spawn_system_task(scoped, name=name, context=contextvars.copy_context())
    return scope.cancel


class Flow:
    """The bytes on their way to the client; an application that writes too fast waits, as on a socket."""

    def __init__(self, signal: Signal) -> None:
        self._signal = signal
        self._chunks: deque[bytes] = deque()
        self._size = 0
        self.closed = False

    async def write(self, chunk: bytes) -> None:
        """Add *chunk* once there is room; drop it if the flow is closed."""
        await self._signal.until(lambda: self._size <= HIGH_WATER or self.closed)
        if chunk and not self.closed:
            self.push(chunk)

    def push(self, chunk: bytes) -> None:
        """Add *chunk* at once."""
        self._chunks.append(chunk)
        self._size += len(chunk)
        self._signal.notify()

    def close(self) -> None:
        """Mark the end of the flow."""
        self.closed = True
        self._signal.notify()

    async def read(self, size: int | None = None) -> bytes:
        """Return the next chunk, of *size* bytes at most; ``b""`` at the end."""
        await self._signal.until(lambda: self._chunks or self.closed)
        if not self._chunks:
            return b""
        chunk = self._chunks.popleft()
        if size is not None and len(chunk) > size:
            self._chunks.appendleft(chunk[size:])
            chunk = chunk[:size]
        self._size -= len(chunk)
        self._signal.notify()
        return chunk
