"""Event loops: what belongs to a loop is closed while that loop can still run."""

from __future__ import annotations

import asyncio
import contextlib
import weakref
from collections.abc import AsyncGenerator, Awaitable, Callable

Loop = asyncio.AbstractEventLoop
Close = Callable[[], Awaitable[None]]


def running_loop() -> Loop | None:
    """The loop that runs in this thread, or None."""
    try:
        return asyncio.get_running_loop()
    except RuntimeError:
        return None


class Janitor:
    """Runs closers at the end of each watched loop.

    Two ways lead there. An async generator left open on the loop is finalised by ``loop.shutdown_asyncgens()``, which
    `asyncio.run`, `asyncio.Runner`, pytest-asyncio and anyio all call. A loop that somebody just closes finalises no
    generator: ``close`` of that one loop object is wrapped, and the closers run before it.

    Args:
        last: Runs on each loop after its closers.
        is_due: Whether *last* has anything to do on a loop.
    """

    def __init__(self, last: Callable[[Loop], Awaitable[None]], is_due: Callable[[Loop], bool]) -> None:
        self._last = last
        self._is_due = is_due
        self._closers: weakref.WeakKeyDictionary[Loop, list[Close]] = weakref.WeakKeyDictionary()
        # A loop refers to its generators weakly; without this, each would be finalised at once.
        self._generators: weakref.WeakKeyDictionary[Loop, AsyncGenerator[None, None]] = weakref.WeakKeyDictionary()

    def watch(self, loop: Loop) -> None:
        """See to it that *loop*, which runs in this thread, is swept at its end."""
        if loop not in self._closers:
            self._closers[loop] = []
            self._leave_generator(loop)
            self._wrap_close(loop)

    def before_end(self, loop: Loop, close: Close) -> None:
        """Run *close* on *loop* at its end; the last one given runs first."""
        if running_loop() is loop:
            self.watch(loop)
        elif loop not in self._closers:
            self._closers[loop] = []
            self._wrap_close(loop)
        self._closers[loop].append(close)

    def is_due(self, loop: Loop) -> bool:
        """Whether *loop* has anything left to close."""
        return bool(self._closers.get(loop)) or self._is_due(loop)

    async def sweep(self, loop: Loop) -> None:
        """Close everything that is due on *loop*, which is the running one."""
        closers = self._closers.get(loop, [])
        try:
            while closers:
                await closers.pop()()
        finally:
            await self._last(loop)

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
            await self.sweep(asyncio.get_running_loop())

    def _wrap_close(self, loop: Loop) -> None:
        close = loop.close

        def swept_close() -> None:
            try:
                if not loop.is_closed() and running_loop() is None and self.is_due(loop):
                    loop.run_until_complete(self.sweep(loop))
            finally:
                vars(loop).pop("close", None)  # or the loop would refer to itself
                close()

        with contextlib.suppress(AttributeError):  # a loop without a __dict__ closes as ever
            loop.close = swept_close  # type: ignore[method-assign]
