"""An application's start-up and shutdown, once per scope of event loops.

A lifespan may hold connections for as long as it runs: a LISTEN, a poller. They cannot outlive their database. So
if a test's DDL makes a fresh clone necessary, the lifespan is shut down before and started up after it, on its own
loop, and writes its start-up rows anew.
"""

from __future__ import annotations

import asyncio
from contextlib import AbstractContextManager, nullcontext
from typing import Any

from ..app import application
from ..redirect import LIFESPAN
from ..redirect.loops import running_loop
from ..worker.worker import Worker
from .layers import Layers


class Lifespan:
    """One application's lifespan on one event loop.

    Args:
        worker: The worker databases, whose settings name the application.
        layers: The layers, one of which holds the start-up's rows; None if the loop belongs to a single test.
        running: The lifespans that run on loops which outlive their tests; this object adds and removes itself.
    """

    def __init__(self, worker: Worker, layers: Layers | None, running: set[Lifespan]) -> None:
        self._worker = worker
        self._layers = layers
        self._running = running
        self.application = application(worker.settings)
        self._manager: Any = None
        self._loop: asyncio.AbstractEventLoop | None = None
        self.app: Any = self.application

    async def start(self) -> None:
        """Start the application up on the running loop."""
        from asgi_lifespan import LifespanManager, LifespanNotSupported

        self._loop = running_loop()  # none on trio, whose applications have no connections of SQLAlchemy's
        manager = LifespanManager(_with_state(self.application), startup_timeout=60, shutdown_timeout=60)
        with self._layer(), self._worker.redirect.owned_by(LIFESPAN):
            try:
                await manager.__aenter__()
            except LifespanNotSupported:
                return
        self._manager = manager
        self.app = manager.app
        if self._layers is not None:
            self._running.add(self)

    async def stop(self) -> None:
        """Shut the application down on its loop."""
        manager, self._manager = self._manager, None
        self._running.discard(self)
        if manager is not None:
            await manager.__aexit__(None, None, None)
        if self._layers is not None:
            self._layers.gone(self)

    def suspend(self) -> None:
        """Shut down until `resume`, because the database is about to be dropped."""
        if self._loop is not None and not self._loop.is_closed() and not self._loop.is_running():
            self._loop.run_until_complete(self.stop())

    def resume(self) -> None:
        """Start up again after `suspend`; do nothing if the application runs."""
        loop = self._loop
        if self._manager is None and loop is not None and not loop.is_closed() and not loop.is_running():
            loop.run_until_complete(self.start())

    def _layer(self) -> AbstractContextManager[None]:
        return nullcontext() if self._layers is None else self._layers.coming_up(self, LIFESPAN)


def _with_state(application: Any) -> Any:
    """Return *application* wrapped so that each request gets a copy of the lifespan's state, as ASGI specifies."""

    async def app(scope: Any, receive: Any, send: Any) -> None:
        __tracebackhide__ = True
        if scope["type"] != "lifespan":
            scope["state"] = dict(scope["state"])
        await application(scope, receive, send)

    return app
