"""Sessions for tests: opened lazily, closed on the loop that used them."""

from __future__ import annotations

import asyncio
import weakref
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.util import find_spec
from typing import Any

from sqlalchemy import create_engine, event
from sqlalchemy.engine import Engine
from sqlalchemy.exc import DBAPIError
from sqlalchemy.ext.asyncio import AsyncEngine, AsyncSession, create_async_engine

from ..errors import UsageError
from ..redirect import Redirect
from ..settings import ASYNC_DRIVERS, SYNC_DRIVERS


def async_engine() -> AsyncEngine:
    """Return an engine for tests, over the first asynchronous driver that is installed; the redirect leads it."""
    return create_async_engine(f"postgresql+{_first(ASYNC_DRIVERS)}://")


def sync_engine() -> Engine:
    """Return an engine for tests, over the first synchronous driver that is installed; the redirect leads it."""
    return create_engine(f"postgresql+{_first(SYNC_DRIVERS)}://")


def _first(drivers: tuple[str, ...]) -> str:
    for driver in drivers:
        if find_spec(driver) is not None:
            return driver
    raise UsageError(
        f"None of the drivers {', '.join(drivers)} is installed.",
        do="Install the driver that the application uses in production: pip install asyncpg",
    )


async def _close(session: AsyncSession) -> None:
    try:
        await session.close()
    except DBAPIError:
        # Its backend was ended, or the test was interrupted in a statement: both have been reported already.
        await session.invalidate()


class SessionCloser:
    """A closer of the sessions that tests leave open, each on the loop that used it.

    A fixture that hands out an AsyncSession cannot close it by itself: it is synchronous, so that it fits tests of
    every loop scope, and a loop that belongs to the test may be closed before the fixture is torn down.
    """

    def __init__(self, redirect: Redirect) -> None:
        self._redirect = redirect
        self._used: weakref.WeakKeyDictionary[asyncio.AbstractEventLoop, weakref.WeakSet[AsyncSession]]
        self._used = weakref.WeakKeyDictionary()

    @contextmanager
    def closing(self, session: AsyncSession) -> Iterator[AsyncSession]:
        """Yield *session*, and close it at the end."""
        last: list[asyncio.AbstractEventLoop] = []

        def note_loop(*_: Any) -> None:
            last[:] = [asyncio.get_running_loop()]
            self._note(last[0], session)

        event.listen(session.sync_session, "after_begin", note_loop)
        try:
            yield session
        finally:
            # Only the loop of its last transaction: on earlier loops it has returned its connections already.
            if not last:
                session.sync_session.close()  # it has no connection, so nothing is sent
            for loop in last:
                if not loop.is_closed() and not loop.is_running():
                    loop.run_until_complete(_close(session))
                self._used.get(loop, weakref.WeakSet()).discard(session)

    def _note(self, loop: asyncio.AbstractEventLoop, session: AsyncSession) -> None:
        if loop not in self._used:
            self._used[loop] = weakref.WeakSet()

            async def close_all() -> None:
                for left in list(self._used[loop]):
                    await _close(left)

            self._redirect.on_loop_end(loop, close_all)
        self._used[loop].add(session)
