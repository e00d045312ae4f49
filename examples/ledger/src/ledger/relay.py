"""The task that lives as long as the application: it relays the outbox and hands events to this process."""

from __future__ import annotations

import asyncio
import json
import logging
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from typing import Any

import asyncpg
from sqlalchemy.exc import DBAPIError, InterfaceError
from sqlalchemy.ext.asyncio import AsyncEngine, async_sessionmaker

from ledger.outbox import EVENTS, OUTBOX, relay
from ledger.stream import Hub

log = logging.getLogger(__name__)

POLL_SECONDS = 5.0
RECONNECT_SECONDS = 0.1
CONNECTION_LOST = (OSError, DBAPIError, InterfaceError, asyncpg.PostgresError, asyncpg.InterfaceError)


class Relay:
    """The relay, which listens on a connection of its own and relays on the pool's."""

    def __init__(self, engine: AsyncEngine, hub: Hub) -> None:
        self._engine = engine
        self._sessions = async_sessionmaker(engine)
        self._hub = hub
        self._wake = asyncio.Event()
        self._lost = False

    async def run(self) -> None:
        """Listen and relay until cancelled, over a new connection whenever the old one is lost."""
        while True:
            try:
                await self._run_connected()
            except CONNECTION_LOST as error:
                log.warning("the relay lost its connection: %s", error)
            await asyncio.sleep(RECONNECT_SECONDS)

    async def drain(self) -> None:
        """Relay all that waits now."""
        more = True
        while more:
            async with self._sessions.begin() as session:
                more = await relay(session) > 0

    async def _run_connected(self) -> None:
        async with _driver_connection(self._engine) as connection:
            self._lost = False
            connection.add_termination_listener(self._on_loss)
            await connection.add_listener(EVENTS, self._on_event)
            await connection.add_listener(OUTBOX, self._on_outbox)
            while not self._lost:
                self._wake.clear()
                await self.drain()
                # A notification that was lost with a connection is made up for by looking now and then.
                with suppress(asyncio.TimeoutError):
                    await asyncio.wait_for(self._wake.wait(), POLL_SECONDS)

    def _on_event(self, _connection: object, _pid: int, _channel: str, payload: object) -> None:
        self._hub.publish(json.loads(str(payload)))

    def _on_outbox(self, *_notification: object) -> None:
        self._wake.set()

    def _on_loss(self, _connection: object) -> None:
        self._lost = True
        self._wake.set()


@asynccontextmanager
async def running(engine: AsyncEngine, hub: Hub) -> AsyncIterator[None]:
    """Run a relay for the duration of the block."""
    task = asyncio.create_task(Relay(engine, hub).run(), name="relay")
    try:
        yield
    finally:
        task.cancel()
        with suppress(asyncio.CancelledError):
            await task


@asynccontextmanager
async def _driver_connection(engine: AsyncEngine) -> AsyncIterator[Any]:
    """Yield a connection, and close it: one that listened must not go back to the pool."""
    async with engine.connect() as connection:
        pooled = await connection.get_raw_connection()
        try:
            yield pooled.driver_connection
        finally:
            await connection.invalidate()
