"""The redirect: class-level listeners that lead every PostgreSQL engine of the process to its target."""

from __future__ import annotations

import os
import threading
from collections.abc import Awaitable, Callable, Iterable, Iterator
from contextlib import AbstractContextManager, contextmanager
from contextvars import ContextVar
from typing import TYPE_CHECKING, Any

from sqlalchemy import event
from sqlalchemy.engine import Connection, Engine
from sqlalchemy.exc import DisconnectionError
from sqlalchemy.orm import Session
from sqlalchemy.pool import Pool

from ..errors import RedirectError, locations
from ..errors.masking import without_frames
from ..server.libpq_environment import hide_service, show_service
from . import drivers, forks
from .arguments import requested, rewritten
from .connection_registry import ConnectionEntry, Opened, Registry
from .driver_classes import watch, watched
from .holders import KEY, Holders
from .loops import Janitor, Loop, running_loop
from .other_dialects import OtherEngine, OtherEngines
from .pings import Pings
from .pools import POOLS
from .refusals import Prohibition, driver_of, refuse_trio
from .targets import Origin, Refuse, Target, Targets, refuse_nothing
from .threads import ThreadOwners

if TYPE_CHECKING:
    from sqlalchemy.engine.interfaces import Dialect

    from ..server.address import Address
    from .holders import Databases

# The key of an engine of another dialect in the `info` of a record.
_OTHER = "pytest_crucible.other"
# The owner of code that runs while modules are imported, in hooks, between two tests.
OUTSIDE = "code outside the tests"
# The owner of an application's start-up and shutdown, and of its tasks.
LIFESPAN = "lifespan"


class Redirect:
    """A redirect of every SQLAlchemy engine that speaks PostgreSQL to the database that *target* returns.

    Args:
        target: Returns the target for an origin. It may be slow (the first call builds the database) and is called in
            any thread, one call at a time, and again at each checkout.
        others: The engines of other dialects.

    Attributes:
        owner: The owner of the code that runs: a wide fixture, ``lifespan``, or None.
        holders: The sessions and connections that hold the redirect's connections.
        test: The number of the current or last test.
        in_test: Whether a test is under way.
        preparing: Whether a database is being made ready now, with whatever statements that takes.
        reached: Whether anything but the filling of a template has used PostgreSQL yet.
        prohibition: The reason why nothing may use PostgreSQL now, if there is one.
        is_child: Whether another process owns the databases, and may recreate one without this process's knowledge.
    """

    def __init__(self, target: Callable[[Origin], Target], others: OtherEngines | None = None) -> None:
        self.others = others or OtherEngines("allow", ())
        self.preparing = False
        self.reached = False
        self._filling = False
        self.owner: ContextVar[str | None] = ContextVar("crucible_owner", default=None)
        self.prohibition = Prohibition(self.owner)
        self._targets = Targets(target)
        self._registry = Registry()
        self.holders = Holders(self._registry)
        self._janitor = Janitor(self._registry)
        self._pings = Pings(self._registry)
        self._threads = ThreadOwners(self.owner, self.owner_now)
        self.test = 0
        self.in_test = False
        self._connecting: set[int] = set()
        self._used: set[str] = set()
        self._detached: set[str] = set()
        self._installed = False
        self.is_child = False
        self._listeners: list[tuple[Any, str, Callable[..., Any]]] = [
            (Engine, "do_connect", self._do_connect),
            (Pool, "first_connect", self._refuse_foreign),
            (Pool, "connect", self._refuse_foreign),
            (Pool, "checkout", self._checkout),
            (Pool, "checkin", self._checkin),
            (Pool, "detach", self._detach),
            (Pool, "close", self._close),
            (Session, "after_begin", self._after_begin),
        ]

    def install(self) -> None:
        """Add the listeners to SQLAlchemy's classes, before any others."""
        if self._installed:
            return
        self._installed = True
        hide_service()
        self._threads.install()
        for target, name, listener in self._listeners:
            event.listen(target, name, listener, insert=True)
        POOLS.install()
        self.others.install()

    def remove(self) -> None:
        """Remove the listeners."""
        if not self._installed:
            return
        self._installed = False
        self._threads.remove()
        for target, name, listener in self._listeners:
            event.remove(target, name, listener)
        POOLS.remove()
        self.others.remove()
        self.prohibition.set(None)
        self._pings.restore()
        show_service()

    @contextmanager
    def lead_to(self, address: Address, refuse: Refuse = refuse_nothing, *, tests_only: bool = False) -> Iterator[None]:
        """Lead every engine of the process to *address* in the block, except where *refuse* raises an error.

        With *tests_only*, a lifespan's tasks and fixtures of wider scopes keep their targets.

        Connections made in the block are closed at its end. An asyncpg connection whose loop still lives closes only
        when that loop runs next, so a caller that needs the database without connections must end its backends.
        """
        with self._targets.lead_to(address, refuse, tests_only=tests_only) as lead:
            self._filling = not tests_only
            try:
                yield
            finally:
                self._filling = False
                for entry in self._registry.all():
                    if entry.target is lead:
                        self._registry.drop(entry)

    @contextmanager
    def owned_by(self, name: str) -> Iterator[None]:
        """Set *name* as the owner of connections checked out in this context, and in the tasks created in it."""
        token = self.owner.set(name)
        try:
            yield
        finally:
            self.owner.reset(token)

    def owner_now(self) -> str | None:
        """Return the owner of the code that runs now: None for a test, `OUTSIDE` where no test is under way."""
        return self.owner.get() or (None if self.in_test else OUTSIDE)

    @property
    def is_test(self) -> bool:
        """True if the code that runs now belongs to a test or one of its requests."""
        return self.owner.get() is None and not self.preparing

    def begin_test(self) -> None:
        """Attribute code without an owner to a test, until `end_test`."""
        self.test += 1
        self.in_test = True
        self.others.begin_test()

    def end_test(self) -> None:
        """Attribute code without an owner to code outside the tests."""
        self.in_test = False

    def connections(self) -> list[Opened]:
        """Return the live connections that the redirect has made."""
        return [entry.opened() for entry in self._registry.live()]

    @staticmethod
    def database_of(connection: Connection) -> str | None:
        """Return the database that *connection* leads to; None if the redirect did not make it."""
        entry: ConnectionEntry | None = connection.info.get(KEY)
        return None if entry is None else entry.target.address.database

    def used(self, *, forget: bool = True) -> set[str]:
        """Return the databases whose connections are in use now, or were since the last call; *forget* these."""
        used, self._used = self._used, set() if forget else self._used
        in_use = {entry.target.address.database for entry in self._registry.held()}
        return used | in_use | self._detached

    @staticmethod
    def pid_of(connection: Connection) -> int | None:
        """Return the backend of *connection*; None if the redirect did not make it."""
        entry: ConnectionEntry | None = connection.info.get(KEY)
        return None if entry is None else entry.pid

    def is_connecting(self, databases: Databases) -> bool:
        """Return whether a thread connects now, or has a connection to *databases* that it has not checked out yet."""
        # Without a record there is no checkout to wait for.
        new = (entry for entry in self._registry.live() if entry.is_in_transit and entry.record() is not None)
        return bool(self._connecting) or any(entry.is_on(databases) for entry in new)

    def is_held(self, database: str) -> bool:
        """Return whether a connection to *database* is checked out, or a thread connects now."""
        return bool(self._connecting) or self.holders.is_held(database)

    def keep_targets(self) -> AbstractContextManager[object]:
        """Have other threads wait in the block where they would connect, or check a connection out."""
        return self._targets.kept()

    def may_be_open(self, database: str) -> bool:
        """Return whether a connection to *database* is in use, or may have something open in its pool."""
        here = (entry for entry in self._registry.live() if entry.target.address.database == database)
        return any(entry.may_be_open for entry in here)

    def loops(self) -> set[Loop]:
        """Return the event loops that live connections belong to: cheap enough to call around each test."""
        return {loop for entry in self._registry.live() if (loop := entry.loop()) is not None}

    def condemn(self, pids: Iterable[int]) -> None:
        """Prevent another checkout of these connections."""
        doomed = frozenset(pids)
        for entry in self._registry.all():
            entry.condemned = entry.condemned or entry.pid in doomed

    def after_test(self) -> None:
        """Condemn connections whose session state was altered, or whose backend is gone, for the next test.

        A lost backend is not looked for at each checkout: an application that cannot handle a killed backend fails in
        production, and so it must within a test.
        """
        for entry in self._registry.all():
            entry.retire()
            if entry.is_closed:
                self._registry.discard(entry)
            entry.condemned = entry.condemned or entry.is_dead

    def target(self, origin: Origin) -> Target:
        """Return the target for *origin*, for an engine of a child process."""
        return self._targets.of(origin)

    def leave_to_parent(self) -> None:
        """Leave the open connections to the parent, in a forked child, which neither uses nor closes them."""
        self.is_child = True
        self._targets.unlock()
        forks.INHERITED.extend([self._registry.leave(entry) for entry in self._registry.all()])

    def on_loop_end(self, loop: Loop, close: Callable[[], Awaitable[None]]) -> None:
        """Await *close* on *loop* at its end, before its connections close; the closer added last comes first."""
        self._janitor.before_end(loop, close)

    def close(self) -> None:
        """Close every remaining connection, at the end of the run."""
        for loop in {entry.loop() for entry in self._registry.all()}:
            if loop is not None:
                self._janitor.finish(loop)
        for entry in self._registry.all():
            self._registry.drop(entry)

    # -- connecting --------------------------------------------------------------------------------------------------

    def _do_connect(self, dialect: Dialect, record: Any, cargs: list[Any], cparams: dict[str, Any]) -> Any:
        __tracebackhide__ = True  # an error is shown where the driver raises it, as without Crucible
        if dialect.name != "postgresql":
            if record is not None:
                record.info[KEY] = None  # not redirected, even over a PostgreSQL driver (CockroachDB)
                record.info[_OTHER] = self.others.connecting(dialect)
            return None
        self.prohibition.enforce()
        driver = driver_of(dialect, cparams)
        refuse_trio(dialect)
        origin = Origin(driver, *requested(driver, cargs, cparams, os.environ))
        with self._connecting_to(origin, is_async=dialect.is_async) as target:
            kwargs = rewritten(driver, cargs, cparams, target.address, os.environ)
            hide_service()  # the application, or a test, may have set it meanwhile
            dbapi_connection = self._connect(dialect, watched(driver, kwargs, is_async=dialect.is_async), target)
            connection = dialect.get_driver_connection(dbapi_connection)
            watch(driver, connection)
            loop = running_loop() if dialect.is_async else None
            # Only events that make each statement of an engine slower would pass the engine.
            entry = ConnectionEntry(driver, connection, loop, origin, target, locations.caller(Engine))
            entry.used_by(self.owner_now(), locations.here())
            self._registry.add(entry, record)
            if record is not None:  # a pool class of the application may pass none
                record.info[KEY] = entry
        if loop is not None:
            self._janitor.watch(loop)
            self._pings.guard(dialect)
        return dbapi_connection

    @staticmethod
    def _connect(dialect: Dialect, kwargs: dict[str, Any], target: Target) -> Any:
        __tracebackhide__ = True
        try:
            return dialect.connect(**kwargs)
        except Exception as error:
            if target.address.password is not None:
                without_frames(error)
            raise

    @contextmanager
    def _connecting_to(self, origin: Origin, *, is_async: bool) -> Iterator[Target]:
        """Yield the target of *origin*; `is_connecting` knows a thread that connects until the end of the block."""
        owner, thread = self.owner.get(), threading.get_ident()
        with self._targets.kept(owner):
            target = self._targets.of(origin, owner)
            if not is_async:
                self._connecting.add(thread)
        try:
            yield target
        finally:
            self._connecting.discard(thread)

    def _refuse_foreign(self, dbapi_connection: Any, record: Any) -> None:
        """Refuse a connection opened past its dialect, before SQLAlchemy's initialisation executes anything on it."""
        if KEY in record.info or not _speaks_postgresql(dbapi_connection, record):
            return
        entry = self._registry.of(record.driver_connection)
        if entry is not None:
            record.info[KEY] = entry
            return
        dbapi_connection.close()
        raise RedirectError(
            "An engine opened a PostgreSQL connection past its dialect, so Crucible cannot say where it leads.",
            why="The engine has creator= or async_creator=, or a do_connect listener connects by itself.",
            do="Let the engine connect by its URL and connect_args=. A do_connect listener may change cparams and"
            " return None.",
        )

    # -- checking out and in -----------------------------------------------------------------------------------------

    def _checkout(self, dbapi_connection: Any, record: Any, proxy: Any) -> None:
        __tracebackhide__ = True
        entry: ConnectionEntry | None = record.info.get(KEY)
        if entry is None:
            self._checkout_of_others(dbapi_connection, record)
            return
        if entry.is_async and entry.loop() is not running_loop():
            self._registry.leave_loop(entry)
        self.prohibition.enforce()
        is_dead = self.is_child and entry.is_dead  # only an idle connection shows that the server closed its end
        if self._is_misled(entry, proxy) or entry.condemned or is_dead:
            if entry.inherited:
                record.dbapi_connection = proxy.dbapi_connection = None  # else the pool would close it
            raise DisconnectionError("the connection leads to an earlier database, or was condemned")
        if entry.is_new:
            entry.begin()
        self._used.add(entry.target.address.database)
        self.reached = self.reached or not self._filling

    def _checkout_of_others(self, dbapi_connection: Any, record: Any) -> None:
        if KEY not in record.info and _speaks_postgresql(dbapi_connection, record):
            raise DisconnectionError("the connection was opened before the redirect was installed")
        other: OtherEngine | None = record.info.get(_OTHER)
        if other is not None:
            self.others.checked_out(other)

    def _is_misled(self, entry: ConnectionEntry, proxy: Any) -> bool:
        """Note that *entry* is checked out, and return whether it leads to a database that is not its target now."""
        # A thread that discards the database waits for connections in use, and for new ones, of which there may be no
        # second: SQLAlchemy tries twice at each checkout.
        if entry.is_in_transit:
            entry.checked_out_by(self.owner_now(), locations.here(), proxy)
            return entry.is_lost
        with self._targets.kept(self.owner.get()):
            entry.checked_out_by(self.owner_now(), locations.here(), proxy)
            target = self._targets.of(entry.origin, self.owner.get())
        return entry.target is not target and entry.target != target

    def _checkin(self, dbapi_connection: Any, record: Any) -> None:
        entry: ConnectionEntry | None = record.info.get(KEY)
        if entry is not None:
            self._used.add(entry.target.address.database)
            entry.checked_in()
            if entry.to_judge:
                entry.retire()

    def _after_begin(self, session: Session, transaction: Any, connection: Connection) -> None:
        entry: ConnectionEntry | None = connection.info.get(KEY)
        if entry is not None:
            self.holders.began(session, connection, entry, self.test)

    def _detach(self, dbapi_connection: Any, record: Any) -> None:
        entry: ConnectionEntry | None = record.info.get(KEY)
        if entry is not None:
            self._detached.add(entry.target.address.database)
            self._registry.detach(entry)

    def _close(self, dbapi_connection: Any, record: Any) -> None:
        entry: ConnectionEntry | None = record.info.get(KEY)
        if entry is not None:
            self._used.add(entry.target.address.database)
            self._registry.discard(entry)


def _speaks_postgresql(dbapi_connection: Any, record: Any) -> bool:
    return drivers.speaks_postgresql(dbapi_connection) or drivers.speaks_postgresql(record.driver_connection)
