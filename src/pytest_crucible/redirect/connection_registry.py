"""A registry of the open connections that the redirect has made."""

from __future__ import annotations

import asyncio
import contextlib
import threading
import weakref
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, NamedTuple, NoReturn

from sqlalchemy.exc import DisconnectionError

from ..errors.locations import UNKNOWN
from . import drivers
from .driver_classes import STATES
from .holders import nothing, session_of
from .loops import Loop, current_task
from .pools import POOLS
from .session_state import SessionState
from .targets import Origin, Target

if TYPE_CHECKING:
    from sqlalchemy.engine import Engine
    from sqlalchemy.orm import Session

    from ..errors.locations import CodeLocation
    from .holders import Began, Databases


class Opened(NamedTuple):
    """A snapshot of one live connection of the application.

    Attributes:
        pid: The backend's process id.
        driver: ``asyncpg``, ``psycopg`` or ``psycopg2``.
        loop: The event loop that it belongs to, None for a synchronous driver.
        generation: The generation of the database that it leads to.
        owner: The owner of the code that used it last: a wide fixture, ``lifespan``, or None.
        location: The line that connected or checked it out last, ``tests/test_x.py:12 in test_x``, or None.
        checked_out: Whether it is in use now.
        thread: The identifier of the thread that did so.
        task: The task that did so, where that has an owner.
        session: The session that has a transaction open on it, or None.
        has_joined: Whether that session has joined a transaction of its connection.
        is_new: Whether its pool still initialises it, before the first checkout.
    """

    pid: int
    driver: str
    loop: Loop | None
    generation: int
    owner: str | None
    location: str | None
    checked_out: bool
    thread: int = 0
    task: asyncio.Task[Any] | None = None
    session: Session | None = None
    has_joined: bool = False
    is_new: bool = False


def opened_by(opened: Opened | None) -> str:
    """Return, in words, the code that opened a connection; None stands for one that the redirect has not made."""
    if opened is None:
        return "by code that Crucible does not see (a raw driver, a subprocess)"
    return f"at {opened.location or UNKNOWN} ({opened.driver})"


class ConnectionEntry:
    """The registry's entry for one connection, also kept in the ``info`` of its record in the pool.

    Args:
        driver: ``asyncpg``, ``psycopg`` or ``psycopg2``.
        connection: The driver's connection.
        loop: The loop that it belongs to, None for a synchronous driver.
        origin: The role and database that the application asked for.
        target: The database that it leads to.
        engine: The engine that connected, None for a pool without one.
    """

    def __init__(
        self, driver: str, connection: Any, loop: Loop | None, origin: Origin, target: Target, engine: Engine | None
    ) -> None:
        self.driver = driver
        self.pid = drivers.pid_of(driver, connection)
        self.origin = origin
        self.target = target
        self.is_async = loop is not None
        # By identity and weakly: a new loop may get the id of a dead one.
        self.loop: Callable[[], Loop | None] = nothing if loop is None else weakref.ref(loop)
        # An asynchronous connection can be closed on its loop only, so it must live until then; a synchronous one
        # lives as long as the application refers to it.
        self.connection: Callable[[], Any] = weakref.ref(connection) if loop is None else (lambda: connection)
        self.record: Callable[[], Any] = nothing
        self.engine: Callable[[], Engine | None] = nothing if engine is None else weakref.ref(engine)
        self.owner: str | None = None
        self.location: CodeLocation | None = None
        self.checked_out = True  # the pool initialises it before the first checkout
        self.condemned = False
        self.is_new = True
        self.to_judge = False  # at its checkin, since it was in use at the end of a test
        self.inherited = False
        self.proxy: Callable[[], Any] = nothing
        self.thread = threading.get_ident()
        self.task: Callable[[], asyncio.Task[Any] | None] = nothing
        self.began: Began | None = None

    def used_by(self, owner: str | None, location: CodeLocation | None) -> None:
        """Note the code that connects, or checks the connection out."""
        self.owner, self.location = owner, location
        self.thread = threading.get_ident()
        self.task = nothing if owner is None else current_task()

    def checked_out_by(self, owner: str | None, location: CodeLocation | None, proxy: Any) -> None:
        """Note the code that checks the connection out, and the pool's *proxy* of it."""
        self.used_by(owner, location)
        self.proxy = weakref.ref(proxy)
        self.checked_out = True

    def checked_in(self) -> None:
        """Note that the connection is back in its pool."""
        self.checked_out = False
        self.began = None

    def is_on(self, databases: Databases) -> bool:
        """Return whether the connection leads to one of *databases*."""
        return (self.target.address.database, self.target.generation) in databases

    @property
    def is_closed(self) -> bool:
        """True if the connection is closed, as far as the driver knows."""
        connection = self.connection()
        return connection is None or drivers.is_closed(self.driver, connection)

    @property
    def is_in_transit(self) -> bool:
        """True if a thread has connected, and has not checked the connection out of its pool yet."""
        return self.is_new and not self.is_async

    @property
    def is_lost(self) -> bool:
        """True if the connection is closed, at either end; only while no statement is executed on it."""
        return self.is_closed or drivers.has_hung_up(self.driver, self.connection())

    @property
    def is_dead(self) -> bool:
        """True if the connection is closed, or idle while the server has closed its end."""
        return self.is_closed if self.checked_out else self.is_lost

    @property
    def is_busy(self) -> bool:
        """True while a thread executes a statement on the connection."""
        connection = self.connection()
        return connection is not None and drivers.is_busy(self.driver, connection)

    @property
    def is_altered(self) -> bool:
        """True if the session's state differs from that at the first checkout."""
        return (state := self._state) is not None and state.is_altered

    @property
    def may_be_open(self) -> bool:
        """True if it is in use, or lies in its pool with an open transaction, or perhaps with an advisory lock."""
        connection, state = self.connection(), self._state
        if self.checked_out or (state is not None and state.may_lock):
            return True
        return connection is not None and drivers.in_transaction(connection)

    @property
    def _state(self) -> SessionState | None:
        connection = self.connection()
        return None if connection is None else STATES.get(connection)

    def begin(self) -> None:
        """Note the first checkout: statements before it were the connection's initialisation."""
        self.is_new = False
        if (state := self._state) is not None:
            state.begin()

    def retire(self) -> None:
        """Condemn the connection if its state is altered; one in use is judged at its checkin."""
        self.to_judge = self.checked_out
        self.condemned = self.condemned or (not self.checked_out and self.is_altered)

    def leave_pool(self) -> None:
        """Make the pool connect anew at the next checkout, without closing this connection."""
        record = self.record()
        if record is not None and record.driver_connection is self.connection():
            record.dbapi_connection = None

    def abandon(self) -> None:
        """Close the connection, from any thread; an asyncpg connection closes when its loop runs next."""
        connection, loop = self.connection(), self.loop()
        if connection is None or self.inherited:
            return
        if self.driver != "asyncpg":
            drivers.abandon(self.driver, connection)
        elif loop is not None:
            with contextlib.suppress(RuntimeError):  # the loop is closed, and with it the connection
                loop.call_soon_threadsafe(drivers.abandon, self.driver, connection)

    def opened(self) -> Opened:
        """Return a snapshot for other modules."""
        location = None if self.location is None else str(self.location)
        return Opened(
            self.pid,
            self.driver,
            self.loop(),
            self.target.generation,
            self.owner,
            location,
            self.checked_out,
            self.thread,
            self.task(),
            session_of(self),
            self.began is not None and self.began.has_joined,
            self.is_new,
        )


class Registry:
    """The entries of connections that may be open; safe to use from any thread.

    There is no lock: each step is one operation of a dict. The garbage collector may run during a step and call
    `drop`, which would wait for a lock forever.
    """

    def __init__(self) -> None:
        self._entries: dict[int, ConnectionEntry] = {}

    def add(self, entry: ConnectionEntry, record: Any) -> None:
        """Keep *entry* until its connection is closed; *record* is the pool's record of it."""
        self._entries[id(entry)] = entry
        if record is not None:
            # An engine collected without dispose() leaves connections that only their loop can close.
            entry.record = weakref.ref(record, lambda _: self.drop(entry) if entry.is_async else self.discard(entry))

    def discard(self, entry: ConnectionEntry) -> None:
        """Forget *entry*."""
        self._entries.pop(id(entry), None)

    def detach(self, entry: ConnectionEntry) -> None:
        """Note that the connection left its pool, whose record may be collected before it."""
        entry.record = nothing
        entry.checked_out = True

    def drop(self, entry: ConnectionEntry) -> None:
        """Close the connection and remove it from its pool."""
        entry.abandon()  # first: the pool may have the last reference
        entry.leave_pool()
        self.discard(entry)

    def leave_loop(self, entry: ConnectionEntry) -> NoReturn:
        """Drop a connection of another event loop, which the pool would close on the running one.

        Raises:
            DisconnectionError: Always: the pool connects anew.
        """
        self.drop(entry)
        raise DisconnectionError("the connection belongs to another event loop")

    async def close_on(self, loop: Loop) -> None:
        """Close the connections of the running *loop*, which ends."""
        entries = self.on(loop)
        for engine in {entry.engine() for entry in entries}:
            if engine is not None:
                POOLS.forget(engine, loop)
        for entry in entries:
            entry.leave_pool()
            self.discard(entry)
            await drivers.close(entry.driver, entry.connection())

    def leave(self, entry: ConnectionEntry) -> object:
        """Forget *entry* and return its connection, which belongs to the parent process and must not be collected."""
        connection = entry.connection()
        if not entry.checked_out:
            entry.leave_pool()
        entry.record = nothing
        entry.inherited = entry.condemned = True
        self.discard(entry)
        return connection

    def of(self, connection: object) -> ConnectionEntry | None:
        """Return the entry of a driver's *connection*."""
        return next((entry for entry in self.all() if entry.connection() is connection), None)

    def live(self) -> list[ConnectionEntry]:
        """Return the entries whose connections are open, as far as the drivers know."""
        return [entry for entry in self.all() if not entry.is_closed]

    def held(self) -> list[ConnectionEntry]:
        """Return the entries whose connections are checked out, even if the backend is gone."""
        return [entry for entry in self.all() if entry.checked_out]

    def on(self, loop: Loop) -> list[ConnectionEntry]:
        """Return the entries that belong to *loop*."""
        return [entry for entry in self.all() if entry.loop() is loop]

    def all(self) -> list[ConnectionEntry]:
        """Return every entry, closed ones too."""
        return list(self._entries.values())
