"""The redirect: class-level listeners that lead every PostgreSQL engine of the process to its target."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Awaitable, Callable, Iterable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import TYPE_CHECKING, Any

from sqlalchemy import event
from sqlalchemy.engine import Connection, Engine
from sqlalchemy.exc import DisconnectionError
from sqlalchemy.pool import Pool

from ..errors import RedirectError
from . import drivers, places
from .arguments import DRIVERS, asked, rewritten
from .connections import Entry, Opened, Registry
from .environment import hide_service, show_service
from .loops import Janitor, running_loop
from .targets import Origin, Target, Targets

if TYPE_CHECKING:
    from sqlalchemy.engine.interfaces import Dialect

    from ..server.address import Address

_KEY = "pytest_crucible.redirect"


class Redirect:
    """Leads every SQLAlchemy engine that speaks PostgreSQL to the database that *target* names.

    Args:
        target: Where an application's wish is led. It may be slow (the first call builds the database) and is called
            in any thread, one call at a time.
    """

    def __init__(self, target: Callable[[Origin], Target]) -> None:
        self.forbidden: str | None = None
        self.owner: ContextVar[str | None] = ContextVar("crucible_owner", default=None)
        self._targets = Targets(target)
        self._registry = Registry()
        self._janitor = Janitor(self._close_on, self._is_due)
        self._listeners: list[tuple[Any, str, Callable[..., Any]]] = [
            (Engine, "do_connect", self._do_connect),
            (Pool, "first_connect", self._refuse_foreign),
            (Pool, "connect", self._refuse_foreign),
            (Pool, "checkout", self._checkout),
            (Pool, "checkin", self._checkin),
            (Engine, "engine_connect", self._note_engine),
            (Pool, "close", self._closed),
            (Engine, "before_cursor_execute", self._notice_listen),
        ]
        self._installed = False

    def install(self) -> None:
        """Put the listeners on SQLAlchemy's classes, before those that are there."""
        if self._installed:
            return
        self._installed = True
        hide_service()
        for target, name, listener in self._listeners:
            event.listen(target, name, listener, insert=True)

    def remove(self) -> None:
        """Take the listeners away."""
        if not self._installed:
            return
        self._installed = False
        for target, name, listener in self._listeners:
            event.remove(target, name, listener)
        show_service()

    @contextmanager
    def lead_to(self, address: Address) -> Iterator[None]:
        """Lead every engine of the process to *address* meanwhile; nothing made there is handed out afterwards."""
        with self._targets.lead_to(address):
            yield

    @contextmanager
    def owned_by(self, name: str) -> Iterator[None]:
        """Note *name* as the owner of what is checked out in this context, and in the tasks created in it."""
        token = self.owner.set(name)
        try:
            yield
        finally:
            self.owner.reset(token)

    def connections(self) -> list[Opened]:
        """The live connections that the redirect has made."""
        return [entry.opened() for entry in self._registry.live()]

    def listening(self) -> set[int]:
        """The pids of live connections on which LISTEN ran."""
        return {entry.pid for entry in self._registry.live() if entry.listening}

    def condemn(self, pids: Iterable[int]) -> None:
        """See to it that these connections are not handed out again."""
        doomed = frozenset(pids)
        for entry in self._registry.live():
            entry.condemned = entry.condemned or entry.pid in doomed

    def condemn_dead(self) -> None:
        """See to it that idle connections whose backend is gone are not handed out again; for use between tests.

        Not done at each checkout: an application that cannot bear a killed backend fails in production, and so it must
        within a test.
        """
        for entry in self._registry.dead():
            entry.condemned = True
            self._registry.discard(entry)

    def on_loop_end(self, loop: asyncio.AbstractEventLoop, close: Callable[[], Awaitable[None]]) -> None:
        """Await *close* on *loop* at its end, before its connections are closed."""
        self._janitor.before_end(loop, close)

    def close(self) -> None:
        """Close every connection that is left; for the end of the run."""
        for entry in self._registry.live():
            loop = entry.loop()
            if entry.is_async and loop is not None and not loop.is_closed() and not loop.is_running():
                loop.run_until_complete(self._janitor.sweep(loop))
            else:
                entry.forget_record()
                drivers.abandon(entry.driver, entry.connection())

    # -- listeners ---------------------------------------------------------------------------------------------------

    def _do_connect(self, dialect: Dialect, record: Any, cargs: list[Any], cparams: dict[str, Any]) -> Any:
        if dialect.name != "postgresql":
            return None
        self._refuse_forbidden()
        driver = _driver(dialect, cparams)
        wish = asked(driver, cargs, cparams, os.environ)
        origin = Origin(driver, wish.user, wish.database)
        target = self._targets.of(origin)
        hide_service()
        words = rewritten(driver, cargs, cparams, target.address, os.environ)
        dbapi_connection = dialect.connect(**words)
        loop = running_loop() if dialect.is_async else None
        connection = dialect.get_driver_connection(dbapi_connection)
        entry = Entry(driver, dbapi_connection, connection, record, loop, origin, target)
        if record is not None:
            record.info[_KEY] = entry
        self._registry.add(entry)
        if loop is not None:
            self._janitor.watch(loop)
        return dbapi_connection

    def _refuse_foreign(self, dbapi_connection: Any, record: Any) -> None:
        if _KEY in record.info or not drivers.speaks_postgresql(dbapi_connection, record.driver_connection):
            return
        dbapi_connection.close()
        raise RedirectError(
            "An engine opened a PostgreSQL connection past its dialect, so Crucible cannot say where it leads.",
            why="The engine has creator= (or async_creator=), or a do_connect listener connects by itself.",
            do="Let the engine connect through its URL and connect_args=; a do_connect listener may change cparams and"
            " return None.",
        )

    def _checkout(self, dbapi_connection: Any, record: Any, proxy: Any) -> None:
        entry: Entry | None = record.info.get(_KEY)
        if entry is None:
            self._drop_stranger(record, dbapi_connection)
            return
        self._refuse_forbidden()
        stale = self._stale(entry)
        if stale:
            if entry.is_async and entry.loop() is not running_loop():
                record.dbapi_connection = None  # the pool cannot close it here; its own loop will
            raise DisconnectionError(stale)
        entry.owner = self.owner.get()
        entry.place = places.here()
        entry.checked_out = True

    def _note_engine(self, connection: Connection) -> None:
        entry: Entry | None = connection.info.get(_KEY)
        if entry is not None:
            entry.engine = connection.engine

    def _checkin(self, dbapi_connection: Any, record: Any) -> None:
        entry: Entry | None = record.info.get(_KEY)
        if entry is not None:
            entry.checked_out = False

    def _closed(self, dbapi_connection: Any, record: Any) -> None:
        entry: Entry | None = record.info.get(_KEY)
        if entry is not None:
            self._registry.discard(entry)

    def _notice_listen(self, connection: Any, cursor: Any, statement: str, *_: Any) -> None:
        if statement.lstrip()[:6].upper() == "LISTEN":
            entry: Entry | None = connection.info.get(_KEY)
            if entry is not None:
                entry.listening = True

    # -- rules -------------------------------------------------------------------------------------------------------

    def _refuse_forbidden(self) -> None:
        if self.forbidden is not None:
            raise RedirectError(self.forbidden)

    def _stale(self, entry: Entry) -> str:
        """Why *entry* must not be handed out, or nothing."""
        if entry.is_async and entry.loop() is not running_loop():
            return "the connection belongs to another event loop"
        target = self._targets.of(entry.origin)
        if entry.target is not target and entry.target != target:
            return "the connection leads to an earlier database"
        if entry.condemned:
            return "the connection was condemned"
        return ""

    def _drop_stranger(self, record: Any, dbapi_connection: Any) -> None:
        if drivers.speaks_postgresql(dbapi_connection, record.driver_connection):
            raise DisconnectionError("the connection was opened before the redirect was installed")

    # -- loops -------------------------------------------------------------------------------------------------------

    def _on(self, loop: asyncio.AbstractEventLoop) -> list[Entry]:
        return [entry for entry in self._registry.live() if entry.loop() is loop]

    def _is_due(self, loop: asyncio.AbstractEventLoop) -> bool:
        return bool(self._on(loop))

    async def _close_on(self, loop: asyncio.AbstractEventLoop) -> None:
        entries = self._on(loop)
        elsewhere = {entry.engine for entry in self._registry.live() if entry.loop() is not loop}
        for engine in {entry.engine for entry in entries} - elsewhere - {None}:
            # A pool that somebody waited for is bound to the loop by its queue: the engine gets a new pool.
            engine.dispose(close=False)
        for entry in entries:
            entry.forget_record()
            await drivers.close(entry.driver, entry.connection())
            self._registry.discard(entry)


def _driver(dialect: Dialect, cparams: dict[str, Any]) -> str:
    if dialect.driver not in DRIVERS:
        raise RedirectError(
            f"An engine uses the driver {dialect.driver!r}, which Crucible cannot redirect.",
            why="Each driver has connect arguments of its own; these are known: " + ", ".join(DRIVERS) + ".",
            do="Use one of them in the tests, for example postgresql+psycopg://…",
        )
    if "async_creator_fn" in cparams:
        raise RedirectError(
            "An engine has async_creator_fn in connect_args, so Crucible cannot say where it leads.",
            why="That function opens the connection past the dialect.",
            do="Drop async_creator_fn and give its settings in connect_args=.",
        )
    return dialect.driver
