"""What the redirect needs to know of each driver, through the driver's public interface only."""

from __future__ import annotations

import asyncio
import contextlib
import select
from typing import Any

# Modules whose connections speak PostgreSQL: SQLAlchemy's adapters, and the drivers themselves.
_POSTGRESQL = frozenset("asyncpg psycopg psycopg_pool psycopg2 psycopg2cffi pg8000 pygresql psqlpy".split())
_ADAPTERS = "sqlalchemy.dialects.postgresql."
_GRACE = 2.0


def speaks_postgresql(*connections: object) -> bool:
    """Whether one of *connections* is a PostgreSQL driver's or its adapter, a subclass or a proxy of one."""
    return any(
        cls.__module__.partition(".")[0] in _POSTGRESQL or cls.__module__.startswith(_ADAPTERS)
        for connection in connections
        # A proxy such as wrapt's tells its real class in __class__ only.
        for cls in (*type(connection).__mro__, *connection.__class__.__mro__)
    )


def pid_of(driver: str, connection: Any) -> int:
    """The backend's process id, which the driver has known since it connected."""
    if driver == "asyncpg":
        return int(connection.get_server_pid())
    return int(connection.info.backend_pid)


def is_closed(driver: str, connection: Any) -> bool:
    """Whether the driver knows that *connection* is gone; it is not asked over the wire."""
    if driver == "asyncpg":
        return bool(connection.is_closed())
    return bool(connection.closed)


def has_hung_up(driver: str, connection: Any) -> bool:
    """Whether the server has closed its end of an idle *connection*; nothing is sent.

    An idle connection has nothing to read, unless the server said goodbye or sent a notice.
    """
    if driver == "asyncpg":  # its loop reads, and tells by is_closed()
        return is_closed(driver, connection)
    try:
        if not select.select([connection.fileno()], [], [], 0)[0]:
            return False
        for _ in range(2):  # the error message, then the end of the stream
            connection.poll() if driver == "psycopg2" else connection.pgconn.consume_input()
    except Exception:  # noqa: BLE001 - each driver has its own classes
        return True
    return is_closed(driver, connection)


async def close(driver: str, connection: Any) -> None:
    """Close an asynchronous connection on the running loop, which must be its own; never fails."""
    try:
        await asyncio.wait_for(connection.close(), _GRACE)
    except (Exception, asyncio.CancelledError):
        # A backend that was killed, a query still running, or a loop that cancels everything at its end.
        abandon(driver, connection)


def abandon(driver: str, connection: Any) -> None:
    """Drop *connection* without a word to the server."""
    with contextlib.suppress(Exception):
        if driver == "asyncpg":
            connection.terminate()
        elif driver == "psycopg":
            connection.pgconn.finish()
        else:
            connection.close()
