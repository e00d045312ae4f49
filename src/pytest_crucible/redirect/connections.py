"""The connections that the redirect has made and that are still open."""

from __future__ import annotations

import asyncio
import threading
import weakref
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from . import drivers

if TYPE_CHECKING:
    from sqlalchemy.engine import Engine

    from .places import Place
    from .targets import Origin, Target


@dataclass(frozen=True)
class Opened:
    """One live connection of the application's, as it was at the time of asking.

    Attributes:
        pid: The backend's process id.
        driver: ``asyncpg``, ``psycopg`` or ``psycopg2``.
        loop: The event loop that it belongs to, None for a synchronous driver.
        generation: The generation of the database that it leads to.
        owner: Whose code checked it out last: a wide fixture, ``lifespan``, or None.
        place: Where it was checked out last, ``tests/test_x.py:12 in test_x``, or None.
        checked_out: Whether it is in use now.
    """

    pid: int
    driver: str
    loop: asyncio.AbstractEventLoop | None
    generation: int
    owner: str | None
    place: str | None
    checked_out: bool


class Entry:
    """What is kept of one connection; it lives in the pool record's ``info`` and in the registry."""

    __slots__ = (
        "__weakref__",
        "checked_out",
        "condemned",
        "connection",
        "dbapi_connection",
        "driver",
        "engine",
        "listening",
        "loop",
        "origin",
        "owner",
        "pid",
        "place",
        "record",
        "target",
    )

    def __init__(
        self,
        driver: str,
        dbapi_connection: Any,
        connection: Any,
        record: Any,
        loop: asyncio.AbstractEventLoop | None,
        origin: Origin,
        target: Target,
    ) -> None:
        self.driver = driver
        self.pid = drivers.pid_of(driver, connection)
        self.origin = origin
        self.target = target
        self.record: Callable[[], Any] = weakref.ref(record) if record is not None else _nothing
        # By identity and weakly: a new loop may get the id of a dead one.
        self.loop: Callable[[], asyncio.AbstractEventLoop | None] = weakref.ref(loop) if loop else _nothing
        # An asynchronous connection can be closed on its loop only, so it must live until then; a synchronous one
        # is the application's own affair.
        self.connection: Callable[[], Any] = (lambda: connection) if loop else weakref.ref(connection)
        self.dbapi_connection: Callable[[], Any] = (
            (lambda: dbapi_connection) if loop else weakref.ref(dbapi_connection)
        )
        self.owner: str | None = None
        self.place: Place | None = None
        self.engine: Engine | None = None
        self.checked_out = False
        self.condemned = False
        self.listening = False

    @property
    def is_async(self) -> bool:
        """Whether the connection belongs to an event loop, alive or dead."""
        return self.loop is not _nothing

    @property
    def is_closed(self) -> bool:
        """Whether the connection is gone, as far as the driver knows."""
        connection = self.connection()
        return connection is None or drivers.is_closed(self.driver, connection)

    def has_hung_up(self) -> bool:
        """Whether the server has closed its end; only for a connection that nobody uses."""
        connection = self.connection()
        return connection is None or drivers.has_hung_up(self.driver, connection)

    def forget_record(self) -> None:
        """Make the pool connect anew at its next checkout, without closing this connection itself."""
        record = self.record()
        if record is not None and record.dbapi_connection is self.dbapi_connection():
            record.dbapi_connection = None

    def opened(self) -> Opened:
        """A snapshot for those outside."""
        place = None if self.place is None else str(self.place)
        return Opened(
            self.pid, self.driver, self.loop(), self.target.generation, self.owner, place, self.checked_out
        )


def _nothing() -> None:
    return None


class Registry:
    """Every live entry; safe to use from any thread."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._entries: dict[int, Entry] = {}

    def add(self, entry: Entry) -> None:
        """Keep *entry* until its connection is closed."""
        with self._lock:
            self._entries[id(entry)] = entry

    def discard(self, entry: Entry) -> None:
        """Forget *entry*."""
        with self._lock:
            self._entries.pop(id(entry), None)

    def live(self) -> list[Entry]:
        """The entries whose connections are open, as far as the drivers know."""
        return [entry for entry in self._all() if not entry.is_closed]

    def dead(self) -> list[Entry]:
        """The entries whose connections are closed, or idle with a backend that is gone."""
        return [entry for entry in self._all() if entry.is_closed or (not entry.checked_out and entry.has_hung_up())]

    def _all(self) -> list[Entry]:
        with self._lock:
            return list(self._entries.values())
