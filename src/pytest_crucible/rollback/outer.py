"""The outer transaction of a test, and what one run knows of them."""

from __future__ import annotations

import asyncio
import contextlib
import weakref
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from greenlet import getcurrent
from sqlalchemy.engine import Connection, Engine, RootTransaction
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.ext.asyncio import AsyncEngine, AsyncSession
from sqlalchemy.orm import Session

from ..errors import IsolationError
from ..worker import Worker
from .constraints import Constraints
from .guard import CURRENT, Guard
from .joined import JoinedAsyncSession, JoinedSession
from .savepoints import RESET, Savepoints, Who
from .turns import Turns

Loop = asyncio.AbstractEventLoop


class Outer:
    """One connection and the transaction around everything that a test does on it.

    Args:
        engine: Where the connection comes from.
        constraints: The deferrable constraints of the schema.
        opening: Called before the connection is opened.
    """

    def __init__(self, engine: Engine, constraints: Constraints, opening: Callable[[Outer], None]) -> None:
        self.engine = engine
        self.constraints = constraints
        self.connection: Connection | None = None
        self.savepoints = Savepoints()
        self.turns = Turns(self.found)
        self.loop: Loop | None = None
        self.is_ending = False
        self.error: IsolationError | None = None
        self.failed: Who | None = None
        self._opening = opening
        self._transaction: RootTransaction | None = None

    def joined_by(self, session: Session) -> Connection:
        """The connection, opened at the first call; *session* is about to use it."""
        self.turns.check()
        loop = _running_loop() if self.engine.dialect.is_async else None
        if self.is_ending:
            raise self.found(_ended(self.loop))
        if self.connection is None:
            self.loop = loop
            with self.turns.turn():
                self._opening(self)
                self._open()
        elif loop is not self.loop:
            raise self.found(_other_loop())
        CURRENT.set(self.savepoints.who(session))
        return self.connection  # type: ignore[return-value] # _open() made it

    def found(self, error: IsolationError) -> IsolationError:
        """Remember the first *error*: the application may swallow it."""
        self.error = self.error or error
        return error

    def end(self, *, keep: bool = False) -> None:
        """Roll back, or commit to *keep*, and give the connection back."""
        self.is_ending = True
        connection, transaction = self.connection, self._transaction
        self.connection = self._transaction = None
        if connection is None:
            return
        with contextlib.suppress(Exception):  # what cannot be kept is rolled back
            if keep and transaction is not None:
                transaction.commit()
        try:
            # Not the transaction's: once a commit was refused, it is inactive and does nothing.
            connection.connection.rollback()
            connection.close()
        except Exception:  # noqa: BLE001 # in the middle of a statement that was cancelled, or with a dead backend
            with contextlib.suppress(Exception):
                connection.invalidate()
                connection.close()

    def _open(self) -> None:
        if self.loop is not None and getcurrent().parent is None:
            raise _too_early()  # asked outside of what SQLAlchemy runs in a greenlet
        connection = self.engine.connect()
        try:
            self._transaction = connection.begin()
        except BaseException:
            connection.close()
            raise
        self.connection = connection


def _running_loop() -> Loop:
    try:
        return asyncio.get_running_loop()
    except RuntimeError:
        raise _too_early() from None


def _too_early() -> IsolationError:
    return IsolationError(
        "db_session was asked for its connection, which it does not have yet, by code that cannot wait for it.",
        why="It connects with its first statement, on the test's event loop.",
        do="Write `await db_session.connection()` first.",
    )


def _ended(loop: Loop | None) -> IsolationError:
    if loop is None or not loop.is_closed():
        return IsolationError(
            "db_session was used after its test.",
            why="A task, a thread or a wider fixture has kept it.",
            do="Take a new one in each test, and end what uses it before the test ends.",
        )
    return IsolationError(
        "db_session was used on a second event loop; the first one has ended, and its transaction with it.",
        why="A connection belongs to one event loop. asyncio.run() makes a new one each time, and so does every request"
        " of a TestClient outside of a `with` block.",
        do=f"Use async_client, or `with TestClient(app) as client:`. {RESET}",
    )


def _other_loop() -> IsolationError:
    return IsolationError(
        "db_session is used on two event loops.",
        why="A connection belongs to one event loop. Probably an asynchronous fixture uses db_session on the loop of"
        " its own scope, and the test runs on another; or a TestClient runs the application on a loop of its own.",
        do="Give fixtures and tests the same loop: asyncio_default_fixture_loop_scope and"
        f" asyncio_default_test_loop_scope. {RESET}",
    )


class Rollback:
    """The outer transactions of one run: at most one at a time.

    Args:
        worker: The worker database.
    """

    def __init__(self, worker: Worker) -> None:
        self._worker = worker
        self._guard = Guard(self._on)
        self._current: list[Outer] = []
        self._constraints: tuple[int, Constraints] = (-1, Constraints())
        self._loops: weakref.WeakSet[Loop] = weakref.WeakSet()

    @contextmanager
    def async_session(self, engine: AsyncEngine, keep: Callable[[], bool]) -> Iterator[JoinedAsyncSession]:
        """An asynchronous session on *engine*; what it did is rolled back, or committed if *keep* says so."""
        outer = self._outer(engine.sync_engine)
        session = JoinedAsyncSession(sync_session_class=JoinedSession, outer=outer, expire_on_commit=False)
        with self._current_is(outer):
            try:
                yield session
            finally:
                self._on_its_loop(outer, keep=keep())
                _forget(session.sync_session)

    @contextmanager
    def sync_session(self, engine: Engine, keep: Callable[[], bool]) -> Iterator[JoinedSession]:
        """A synchronous session on *engine*; what it did is rolled back, or committed if *keep* says so."""
        outer = self._outer(engine)
        session = JoinedSession(outer=outer, expire_on_commit=False)
        with self._current_is(outer):
            try:
                yield session
            finally:
                outer.end(keep=keep())
                _forget(session)

    @contextmanager
    def explaining(self) -> Iterator[None]:
        """What could not be kept in here fails at the end, whatever the application made of the error."""
        try:
            yield
        except Exception as error:
            found = self._error()
            if found is None or found is error:
                raise
            raise found from error
        found = self._error()
        if found is not None:
            raise found

    def _error(self) -> IsolationError | None:
        return next((outer.error for outer in self._current if outer.error is not None), None)

    def close(self) -> None:
        """Listen no more."""
        self._guard.close()

    # -- opening -----------------------------------------------------------------------------------------------------

    def _outer(self, engine: Engine) -> Outer:
        self._guard.watch(engine)
        return Outer(engine, self._constraints_now(), self._opening)

    def _constraints_now(self) -> Constraints:
        generation = self._worker.generation  # a fresh clone may have other constraints
        if generation != self._constraints[0]:
            self._constraints = (generation, Constraints())
        return self._constraints[1]

    def _opening(self, outer: Outer) -> None:
        if any(other.connection is not None for other in self._current if other is not outer):
            raise outer.found(_two())
        if outer.loop is not None and outer.loop not in self._loops:
            self._loops.add(outer.loop)
            self._worker.redirect.on_loop_end(outer.loop, self._end_on_this_loop)

    def _on(self, connection: Connection) -> Outer | None:
        return next((outer for outer in self._current if outer.connection is connection), None)

    @contextmanager
    def _current_is(self, outer: Outer) -> Iterator[None]:
        self._current.append(outer)
        try:
            yield
        finally:
            self._current.remove(outer)

    # -- ending ------------------------------------------------------------------------------------------------------

    async def _end_on_this_loop(self) -> None:
        loop = asyncio.get_running_loop()
        self._loops.discard(loop)
        for outer in self._current:
            if outer.loop is loop:
                await _end(outer)

    def _on_its_loop(self, outer: Outer, *, keep: bool) -> None:
        """End *outer* on the loop that used it, which may run in another thread."""
        loop = outer.loop
        if loop is None or loop.is_closed():
            outer.is_ending = True
        elif not loop.is_running():
            loop.run_until_complete(_end(outer, keep=keep))
        else:
            asyncio.run_coroutine_threadsafe(_end(outer, keep=keep), loop).result(10)


async def _end(outer: Outer, *, keep: bool = False) -> None:
    outer.is_ending = True
    await outer.turns.interrupt()
    # A session's run_sync() is the public way to speak to an asynchronous driver as its synchronous core does.
    await AsyncSession().run_sync(lambda _: outer.end(keep=keep))


def _forget(session: Session) -> None:
    """Close *session*, whose transactions have ended: nothing is sent."""
    with contextlib.suppress(SQLAlchemyError):  # a task is still in the middle of something
        session.close()


def _two() -> IsolationError:
    return IsolationError(
        "The test uses db_session and sync_session.",
        why="They have drivers, and so connections, of their own. In rollback isolation neither would ever see what"
        " the other has written.",
        do=f"Use one of them. {RESET}",
    )
