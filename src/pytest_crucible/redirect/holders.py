"""Holders: the sessions and connections of application and tests that hold checked-out connections.

When an open transaction must end, its holder ends it, so that the holder stays usable: a `Session`, else a
`Connection`. `Session`'s event ``after_begin`` tells which session began on which connection (SQLAlchemy: "ORM
Events"). A bare `Connection` is searched for only when its transaction must end: ``engine_connect`` would tell, but a
listener on `Engine` makes every statement of every engine some 8 µs slower.
"""

from __future__ import annotations

import asyncio
import gc
import weakref
from collections.abc import Callable, Collection, Iterable
from contextlib import suppress
from functools import partial
from typing import TYPE_CHECKING, Any, NamedTuple

from sqlalchemy import event
from sqlalchemy.engine import Connection
from sqlalchemy.orm import Session, SessionTransaction
from sqlalchemy.util import greenlet_spawn

from ..errors.locations import CodeLocation
from .drivers import in_transaction
from .loops import running_loop
from .stepping import CannotStep, run_at_once

if TYPE_CHECKING:
    from .connection_registry import ConnectionEntry, Opened, Registry

# Names and generations.
Databases = Collection["tuple[str, int]"]
# The key of an entry in the `info` of a record; SQLAlchemy clears `info` when the record connects anew.
KEY = "pytest_crucible.redirect"
ROLLBACK_SECONDS = 2.0


class FirstUse(NamedTuple):
    """The location of a session's first use, the owner of that code, and the number of the test."""

    location: CodeLocation | None
    owner: str | None
    test: int


class Began(NamedTuple):
    """The session that began the transaction on a connection, by weak references.

    A session that is bound to a `Connection` has joined that connection's transaction.
    """

    session: Callable[[], Session | None]
    transaction: Callable[[], SessionTransaction | None]
    connection: Callable[[], Connection | None]
    has_joined: bool


class Holders:
    """The sessions and connections that hold the redirect's connections.

    Attributes:
        first: The first use of each session.
    """

    def __init__(self, registry: Registry) -> None:
        self._registry = registry
        self.first: weakref.WeakKeyDictionary[Session, FirstUse] = weakref.WeakKeyDictionary()

    def began(self, session: Session, connection: Connection, entry: ConnectionEntry, test: int) -> None:
        """Note that *session* began a transaction on *connection*, whose entry is *entry*."""
        root = session.get_transaction()
        entry.began = Began(
            weakref.ref(session),
            nothing if root is None else weakref.ref(root),
            weakref.ref(connection),
            isinstance(session.bind, Connection),
        )
        if session not in self.first:
            self.first[session] = FirstUse(entry.location, entry.owner, test)

    def is_held(self, database: str) -> bool:
        """Return whether a connection to *database* is checked out."""
        return any(entry.target.address.database == database for entry in self._alive())

    def in_use(self, databases: Databases) -> list[Opened]:
        """Return the connections to *databases* that are checked out."""
        return [entry.opened() for entry in self._alive() if entry.is_on(databases)]

    def roll_back(self, pid: int) -> bool:
        """Roll back through the holder of this connection; return whether that worked."""
        return any(roll_back(entry) for entry in self._alive() if entry.pid == pid)

    def end(self, session: Session) -> list[int]:
        """Roll back all transactions of *session*, also those whose event loop waits for this very call.

        Returns:
            The backends of connections that were given up instead: the server may learn of it later.
        """
        entries = [entry for entry in self._registry.held() if session_of(entry) is session]
        if not entries:
            _end(session)  # it has no connection, so nothing is sent
        elif not _run(entries, partial(_end, session)):
            for entry in entries:
                let_go(entry)
        return [entry.pid for entry in entries if not entry.is_closed and in_transaction(entry.connection())]

    def let_go(self, databases: Databases) -> None:
        """Make the holders of all connections to *databases* release them; their next use connects anew."""
        for entry in self._registry.held():
            if entry.is_on(databases):
                _let_go_on_its_loop(entry)

    def let_go_of(self, pids: Iterable[int]) -> None:
        """Make the holders of these connections release them; safe to call in any thread."""
        for entry in self._alive():
            if entry.pid in pids:
                _let_go_on_its_loop(entry)

    def _alive(self) -> list[ConnectionEntry]:
        return [entry for entry in self._registry.held() if not entry.is_closed]


def nothing() -> None:
    """Return None, as a weak reference does whose object is gone."""


def session_of(entry: ConnectionEntry) -> Session | None:
    """Return the session whose transaction is open on the connection of *entry*.

    An entry still names its last session after that has released the connection, so each link is checked again.
    """
    if entry.began is None or not entry.checked_out:
        return None
    session, connection = entry.began.session(), entry.began.connection()
    if session is None or connection is None or connection.closed or connection.invalidated:
        return None
    root = session.get_transaction()
    return session if root is not None and root is entry.began.transaction() else None


def connection_of(entry: ConnectionEntry) -> Connection | None:
    """Return SQLAlchemy's connection that holds the connection of *entry*, found among all objects."""
    if not entry.checked_out:
        return None
    proxy = entry.proxy()
    # type(), since a lazy proxy of another library would be evaluated by isinstance().
    connections: list[Connection] = [c for c in gc.get_objects() if issubclass(type(c), Connection)]
    for candidate in connections:
        with suppress(Exception):
            if not candidate.closed and not candidate.invalidated and candidate.connection is proxy:
                return candidate
    return None


def roll_back(entry: ConnectionEntry) -> bool:
    """Roll back the transaction of *entry* through its holder; return whether a holder did.

    A test's own connection is also invalidated, which frees its place in the pool; a connection of a wide fixture keeps
    the state that the fixture has set up.
    """
    session = session_of(entry)
    if session is not None:
        return _run([entry], partial(_end, session))
    connection = connection_of(entry)
    if connection is None or not connection.in_transaction() or not _run([entry], partial(_end, connection)):
        return False
    if entry.owner is None and not connection.in_transaction():
        _detach(entry)
        _invalidate(entry, connection)
    return True


def _let_go_on_its_loop(entry: ConnectionEntry) -> None:
    """Call `let_go` on the event loop of *entry* if that runs in another thread, else directly."""
    loop = entry.loop()
    if loop is not None and loop.is_running() and loop is not running_loop():
        loop.call_soon_threadsafe(let_go, entry)
    else:
        let_go(entry)


def let_go(entry: ConnectionEntry) -> None:
    """Make the holder of *entry* end its transaction and release the connection, without any I/O.

    The objects of a session are neither expired nor detached. The next use connects anew. A connection on which
    another thread executes a statement is left alone: no driver can close it safely.
    """
    if entry.is_busy:
        return
    session = session_of(entry)
    connection = connection_of(entry) if session is None or entry.began is None else entry.began.connection()
    _detach(entry)
    if connection is not None:  # first, or transactions and savepoints would send their ROLLBACK
        _invalidate(entry, connection)
    if session is not None:
        _close(session)
    if connection is not None and not connection.closed:  # a session closes its own
        _end(connection)


def _close(session: Session) -> None:
    """Close all transactions of *session*, the innermost first, with their connections."""
    while (transaction := session.get_nested_transaction() or session.get_transaction()) is not None:
        transaction.close(invalidate=True)
        _leave(transaction)


def _end(holder: Session | Connection) -> None:
    """Roll all transactions of *holder* back, the innermost first."""
    last = None
    while (transaction := holder.get_nested_transaction() or holder.get_transaction()) not in (None, last):
        _leave(transaction)
        last = transaction
    holder.rollback()


def _leave(transaction: Any) -> None:
    """Roll *transaction* back as an error in its ``with`` block would: else SQLAlchemy refuses statements in the block.

    The block itself finds the transaction closed at its end, and does nothing.
    """
    transaction.__exit__(Exception, None, None)  # without an error it would commit


def _detach(entry: ConnectionEntry) -> None:
    """Close the driver's connection now: the pool could close it on its event loop only."""
    entry.abandon()
    entry.leave_pool()


def _run(entries: list[ConnectionEntry], rollback: Callable[[], None]) -> bool:
    """Call *rollback* on the event loop of *entries*; if that cannot run, invalidate the first one's connection."""
    entry, loop = entries[0], entries[0].loop()
    try:
        if not entry.is_async:
            rollback()
        elif loop is None or loop.is_closed():
            _roll_back_invalidated(entry, rollback)
        elif loop is running_loop():
            _roll_back_at_once(entries, rollback)
        elif loop.is_running():
            asyncio.run_coroutine_threadsafe(greenlet_spawn(rollback), loop).result(ROLLBACK_SECONDS)
        elif running_loop() is None:
            loop.run_until_complete(asyncio.wait_for(greenlet_spawn(rollback), ROLLBACK_SECONDS))
        else:  # another loop runs in this thread
            _roll_back_invalidated(entry, rollback)
    except Exception:  # noqa: BLE001 # any error of driver, pool or session: the caller ends the backend
        return False
    return True


def _roll_back_at_once(entries: list[ConnectionEntry], rollback: Callable[[], None]) -> None:
    """Call *rollback* while the event loop of *entries* waits for this very call."""
    try:
        run_at_once(greenlet_spawn(rollback), [(entry.driver, entry.connection()) for entry in entries])
    except CannotStep:
        _roll_back_invalidated(entries[0], rollback)


def _roll_back_invalidated(entry: ConnectionEntry, rollback: Callable[[], None]) -> None:
    connection: Any = entry.began.connection() if entry.began is not None else connection_of(entry)
    _detach(entry)
    if connection is not None and not connection.invalidated:
        _invalidate(entry, connection)
    rollback()


# The owner and location of connections that connect anew at their next use.
_invalidated: weakref.WeakKeyDictionary[Connection, tuple[str | None, CodeLocation | None]] = (
    weakref.WeakKeyDictionary()
)


def _invalidate(entry: ConnectionEntry, connection: Connection) -> None:
    """Make *connection* connect anew at its next use, with its owner and the isolation level set on it."""
    connection.invalidate()
    _invalidated[connection] = entry.owner, entry.location
    event.listen(connection.engine, "begin", _renew)  # not all versions accept one for a connection


def _renew(connection: Connection) -> None:
    """Set again what SQLAlchemy does not on a *connection* that connects anew; called before its transaction."""
    lost = _invalidated.pop(connection, None)
    if lost is None:
        return
    connection.dialect.set_connection_execution_options(connection, connection.get_execution_options())
    entry: ConnectionEntry | None = connection.info.get(KEY)
    if entry is not None:
        entry.owner, entry.location = lost
