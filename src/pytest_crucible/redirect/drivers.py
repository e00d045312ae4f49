"""Questions to the drivers' connections, through the drivers' public interfaces only."""

from __future__ import annotations

import asyncio
import contextlib
import os
import socket
from functools import cache
from typing import Any

# Modules whose connections speak PostgreSQL: SQLAlchemy's adapters, and the drivers themselves.
_POSTGRESQL = {"asyncpg", "psycopg", "psycopg_pool", "psycopg2", "psycopg2cffi", "pg8000", "pygresql", "psqlpy"}
_ADAPTERS = "sqlalchemy.dialects.postgresql."
_GRACE = 2.0
# PQTRANS_IDLE and PQTRANS_ACTIVE (PostgreSQL manual, 32.2: PQtransactionStatus).
_IDLE, _ACTIVE = 0, 1


def speaks_postgresql(connection: object) -> bool:
    """Return whether *connection* is a PostgreSQL driver's or its adapter, a subclass or a proxy of one."""
    # A proxy such as wrapt's has the real class in __class__ only.
    cls: Any = connection.__class__
    return _is_postgresql(type(connection).__mro__) or _is_postgresql(cls.__mro__)


@cache
def _is_postgresql(classes: tuple[type, ...]) -> bool:
    modules = [cls.__module__ for cls in classes]
    return any(module.partition(".")[0] in _POSTGRESQL or module.startswith(_ADAPTERS) for module in modules)


def pid_of(driver: str, connection: Any) -> int:
    """Return the backend's process id, which the driver has known since it connected."""
    if driver == "asyncpg":
        return int(connection.get_server_pid())
    return int(connection.info.backend_pid)


def is_closed(driver: str, connection: Any) -> bool:
    """Return whether the driver knows that *connection* is closed; nothing is sent to the server."""
    if driver == "asyncpg":
        return bool(connection.is_closed())
    return bool(connection.closed)


def is_busy(driver: str, connection: Any) -> bool:
    """Return whether a statement of a synchronous *connection* runs; asyncpg can close from any thread."""
    if driver == "asyncpg" or is_closed(driver, connection):
        return False
    if driver == "psycopg":
        return int(connection.info.transaction_status) == _ACTIVE
    return int(connection.get_transaction_status()) == _ACTIVE


def in_transaction(connection: Any) -> bool:
    """Return whether a transaction is open on *connection*, or a statement runs, as far as the driver knows."""
    if hasattr(connection, "is_in_transaction"):  # asyncpg
        return bool(connection.is_in_transaction())
    return int(connection.info.transaction_status) != _IDLE


def has_hung_up(driver: str, connection: Any) -> bool:
    """Return whether the server has ended an idle *connection*.

    Nothing is sent, and the server's bytes are peeked at, not read: another thread may begin to use the connection.
    """
    if driver == "asyncpg":  # its loop reads all the time, so is_closed() knows
        return is_closed(driver, connection)
    try:
        with socket.socket(fileno=os.dup(connection.fileno())) as end:
            # An idle server sends an error only before it closes; the end of the stream is b"".
            return end.recv(1, socket.MSG_PEEK | getattr(socket, "MSG_DONTWAIT", 0)) in {b"E", b""}
    except BlockingIOError:
        return False
    except Exception:  # noqa: BLE001 - each driver has its own classes for a connection that is closed
        return True


async def close(driver: str, connection: Any) -> None:
    """Close an asynchronous connection on the running loop, which must be its own; raise nothing."""
    try:
        await asyncio.wait_for(connection.close(), _GRACE)
    except (Exception, asyncio.CancelledError):  # noqa: BLE001 - the other closers must run
        # A backend that was killed, a query still running, or a loop that cancels everything at its end.
        abandon(driver, connection)


def roll_back_at_once(connection: Any) -> None:
    """Roll back an idle *connection* of psycopg by libpq's own call, also where its event loop waits."""
    if int(connection.info.transaction_status) not in (_IDLE, _ACTIVE):
        connection.pgconn.exec_(b"ROLLBACK")


def abandon(driver: str, connection: Any) -> None:
    """Close *connection* without sending anything to the server."""
    with contextlib.suppress(Exception):
        if driver == "asyncpg":
            connection.terminate()
        elif driver == "psycopg":
            connection.pgconn.finish()  # at once, from any thread, and for both kinds of connection
        else:
            connection.close()
