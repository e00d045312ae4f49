"""Coroutines that run to their end while the event loop of this thread waits for the call.

A synchronous function that an asynchronous test calls cannot await: the loop runs again only after it has returned. To
end a transaction there, the driver's coroutine is stepped by hand, and the server's answer is read from the socket and
passed to the protocol, as the loop would do it (Python documentation, "Transports and Protocols").
"""

from __future__ import annotations

import asyncio
import os
import select
import socket
import weakref
from collections.abc import Coroutine, Iterable
from typing import Any

from . import drivers

# By asyncpg's connection.
TRANSPORTS: weakref.WeakKeyDictionary[Any, weakref.ref[asyncio.Transport]] = weakref.WeakKeyDictionary()
SECONDS = 2.0
MOST_STEPS = 1000
# Another loop's transports may send what is written only when the loop runs, and TLS has a layer of its own.
FITTING = "asyncio.selector_events"


class CannotStep(Exception):
    """A coroutine waits for something else than the server's answer."""


def run_at_once(coroutine: Coroutine[Any, Any, None], connections: Iterable[tuple[str, Any]]) -> None:
    """Run *coroutine*, which ends the transactions of *connections*, in the thread of their running loop.

    Args:
        coroutine: The coroutine.
        connections: The drivers' connections, each with the name of its driver.

    Raises:
        CannotStep: If only the loop can run it.
    """
    try:
        transports = [transport for each in connections if (transport := _prepared(*each)) is not None]
        for _ in range(MOST_STEPS):
            awaited = coroutine.send(None)
            while isinstance(awaited, asyncio.Future) and not awaited.done():
                _read(transports)
        raise CannotStep
    except StopIteration:
        return
    finally:
        coroutine.close()


def _prepared(driver: str, connection: Any) -> asyncio.Transport | None:
    """Return the transport of an asyncpg *connection*; roll back one of psycopg, whose coroutine then only notes it."""
    if driver != "asyncpg":
        drivers.roll_back_at_once(connection)
        return None
    reference = TRANSPORTS.get(connection)
    transport = None if reference is None else reference()
    if transport is None or type(transport).__module__ != FITTING:
        raise CannotStep
    return transport


def _read(transports: list[asyncio.Transport]) -> None:
    """Pass what the server has sent to the protocol of each transport; wait until there is something."""
    if not transports or any(transport.get_write_buffer_size() for transport in transports):
        raise CannotStep
    sockets = {transport.get_extra_info("socket").fileno(): transport for transport in transports}
    poll = select.poll()
    for number in sockets:
        poll.register(number, select.POLLIN)
    ready = poll.poll(SECONDS * 1000)
    if not ready:
        raise CannotStep
    for number, _ in ready:
        with socket.socket(fileno=os.dup(number)) as end:
            received = end.recv(1 << 16)
        protocol = sockets[number].get_protocol()
        if not received or not isinstance(protocol, asyncio.Protocol):
            raise CannotStep
        protocol.data_received(received)
