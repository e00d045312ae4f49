"""A proxy that delays everything between clients and a PostgreSQL server, and notes each round trip.

A round trip begins where a client sends something after an answer, or first of all. Crucible's own connections have an
``application_name`` in their startup message; all others are the application's.
"""

from __future__ import annotations

import asyncio
import selectors
import threading
import time
from bisect import bisect_left
from collections.abc import Callable, Iterator
from contextlib import contextmanager

OWN = b"pytest-crucible"


class Proxy:
    """A proxy on a port of 127.0.0.1.

    Args:
        path: The socket of the server.

    Attributes:
        port: Its port.
        delay: The seconds that a message takes in one direction.
        trips: When a round trip began, on Crucible's connections (True) and on others.
    """

    def __init__(self, path: str) -> None:
        self.path = path
        self.port = 0
        self.delay = 0.0
        self.trips: dict[bool, list[float]] = {True: [], False: []}

    def count(self, own: bool, begin: float, end: float) -> int:
        """Return the number of round trips between two times of ``time.perf_counter``."""
        return bisect_left(self.trips[own], end) - bisect_left(self.trips[own], begin)

    async def serve(self, ready: Callable[[], object]) -> None:
        """Serve until the task is cancelled; call *ready* when the port is open."""
        loop = asyncio.get_running_loop()
        server = await loop.create_server(lambda: Client(self), "127.0.0.1", 0)
        self.port = server.sockets[0].getsockname()[1]
        ready()
        async with server:
            await server.serve_forever()


class Side(asyncio.Protocol):
    """One end of a connection through the proxy; what it receives goes to the *other* end later."""

    other: Side | None = None

    def __init__(self, proxy: Proxy) -> None:
        self.proxy = proxy
        self.transport: asyncio.Transport | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Keep the transport."""
        assert isinstance(transport, asyncio.Transport)
        self.transport = transport

    def data_received(self, data: bytes) -> None:
        """Hand *data* on after the delay."""
        self.later(lambda side: side.transport and side.transport.write(data))

    def connection_lost(self, exc: Exception | None) -> None:
        """Close the other end after the delay."""
        self.later(lambda side: side.transport and side.transport.close())

    def later(self, act: Callable[[Side], object]) -> None:
        """Have *act* done with the other end after the delay."""
        if self.other is not None:
            asyncio.get_running_loop().call_later(self.proxy.delay, act, self.other)


class Client(Side):
    """The client's end, which opens the server's end."""

    def __init__(self, proxy: Proxy) -> None:
        super().__init__(proxy)
        self.is_own: bool | None = None
        self.has_asked = False
        self.early = b""
        self.task: asyncio.Task[None] | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Connect to the server."""
        super().connection_made(transport)
        self.task = asyncio.ensure_future(self.connect())

    async def connect(self) -> None:
        """Open the server's end, and hand on what the client has sent meanwhile."""
        loop = asyncio.get_running_loop()
        _, server = await loop.create_unix_connection(lambda: Server(self.proxy), self.proxy.path)
        server.other, self.other = self, server
        if self.early:
            super().data_received(self.early)

    def data_received(self, data: bytes) -> None:
        """Count a round trip, if this is the first message after an answer."""
        if self.is_own is None and b"database\0" in data:  # the startup message, not the question for TLS before it
            self.is_own = OWN in data
        if not self.has_asked and self.is_own is not None:
            self.has_asked = True
            self.proxy.trips[self.is_own].append(time.perf_counter())
        if self.other is None:
            self.early += data
        else:
            super().data_received(data)


class Server(Side):
    """The server's end."""

    def data_received(self, data: bytes) -> None:
        """Hand an answer on."""
        if isinstance(self.other, Client):
            self.other.has_asked = False
        super().data_received(data)


@contextmanager
def proxied(path: str) -> Iterator[Proxy]:
    """Run a proxy to the server with the socket *path* in a thread."""
    proxy = Proxy(path)
    # select() waits for microseconds, where epoll() waits for whole milliseconds.
    loop = asyncio.SelectorEventLoop(selectors.SelectSelector())
    ready = threading.Event()
    task = loop.create_task(proxy.serve(ready.set))

    def serve() -> None:
        try:
            loop.run_until_complete(task)
        except asyncio.CancelledError:
            loop.close()

    thread = threading.Thread(target=serve, daemon=True)
    thread.start()
    ready.wait()
    try:
        yield proxy
    finally:
        loop.call_soon_threadsafe(task.cancel)
        thread.join()
