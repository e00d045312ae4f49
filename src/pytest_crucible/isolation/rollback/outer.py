"""The outer transaction of a test, and all of them."""

from __future__ import annotations

import asyncio
import contextlib
import weakref
from collections.abc import Iterator

from greenlet import getcurrent  # type: ignore[import-untyped]
from sqlalchemy.engine import Connection, Engine, RootTransaction
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm import Session

from ...errors import IsolationError
from ...errors.locations import UNKNOWN, CodeLocation, here
from ...redirect import Redirect
from ...redirect.loops import Loop, running_loop
from .constraints import Constraints
from .savepoints import CURRENT, RESET, Participant, Savepoints
from .turns import Turns


class OuterTransaction:
    """One connection and the transaction around everything that a test does on it."""

    def __init__(self, engine: Engine, constraints: Constraints, outers: OuterTransactions) -> None:
        self.engine = engine
        self.constraints = constraints
        self.connection: Connection | None = None
        self.savepoints = Savepoints()
        self.turns = Turns(self.remember)
        self.loop: Loop | None = None
        self.location: CodeLocation | None = None  # where it was opened
        self.is_opening = False
        self.is_ending = False
        self.error: IsolationError | None = None
        self.failed: Participant | None = None
        self._outers = outers
        self._transaction: RootTransaction | None = None

    def joined_by(self, session: Session) -> Connection:
        """Return the connection, opened at the first call, for *session*, which is about to use it."""
        self.turns.check()
        loop = running_loop() if self.engine.dialect.is_async else None
        if loop is None and self.engine.dialect.is_async:
            raise _too_early()
        if self.is_ending:
            raise self.remember(_ended(self.loop))
        if self.connection is None:
            self.loop, self.location = loop, here()
            with self.turns.turn():
                self._outers.opening(self)
                self._open()
        elif loop is not self.loop:
            raise self.remember(_other_loop())
        CURRENT.set(self.savepoints.who(session))
        return self.connection  # type: ignore[return-value] # _open() made it

    @property
    def fixture(self) -> str:
        """The name of the fixture whose session uses this transaction."""
        return "db_session" if self.engine.dialect.is_async else "sync_session"

    def remember(self, error: IsolationError) -> IsolationError:
        """Remember the first *error*, which the application may swallow; return *error*."""
        self.error = self.error or error
        return error

    def end_on_its_loop(self, *, keep: bool) -> None:
        """Call `end` on the event loop that used it, which may run in another thread."""
        loop = self.loop
        if loop is None or loop.is_closed():
            self.is_ending = True
        elif not loop.is_running():
            loop.run_until_complete(self.end_here(keep=keep))
        else:
            asyncio.run_coroutine_threadsafe(self.end_here(keep=keep), loop).result(10)

    async def end_here(self, *, keep: bool = False) -> None:
        """Call `end` on the running event loop, after the operation that is under way."""
        self.is_ending = True
        await self.turns.interrupt()
        # A session's run_sync() is SQLAlchemy's public way to call an asynchronous driver from synchronous code.
        await AsyncSession().run_sync(lambda _: self.end(keep=keep))

    def end(self, *, keep: bool = False) -> None:
        """Roll back, or commit to *keep*, and return the connection to its pool."""
        self.is_ending = True
        connection, transaction = self.connection, self._transaction
        self.connection = self._transaction = None
        if connection is None:
            return
        with contextlib.suppress(Exception):  # a refused commit is rolled back below
            if keep and transaction is not None:
                transaction.commit()
        try:
            # Not the transaction's rollback(): after a refused commit it is inactive and does nothing.
            connection.connection.rollback()
            connection.close()
        except Exception:  # noqa: BLE001 # in the middle of a statement that was cancelled, or with a dead backend
            with contextlib.suppress(Exception):
                connection.invalidate()
                connection.close()

    def _open(self) -> None:
        if self.loop is not None and getcurrent().parent is None:
            raise _too_early()  # asynchronous drivers connect only in SQLAlchemy's greenlet
        self.is_opening = True
        try:
            connection = self.engine.connect()
        finally:
            self.is_opening = False
        try:
            self._transaction = connection.begin()
        except BaseException:
            connection.close()
            raise
        self.connection = connection


class OuterTransactions:
    """The outer transactions of the running test, at most one of which is open."""

    def __init__(self, redirect: Redirect) -> None:
        self.current: list[OuterTransaction] = []
        self._redirect = redirect
        self._loops: weakref.WeakSet[Loop] = weakref.WeakSet()

    def on(self, connection: Connection) -> OuterTransaction | None:
        """Return the outer transaction on *connection*, or None."""
        return next((outer for outer in self.current if outer.connection is connection), None)

    @property
    def error(self) -> IsolationError | None:
        """The first error that one of them remembers."""
        return next((outer.error for outer in self.current if outer.error is not None), None)

    @contextlib.contextmanager
    def including(self, outer: OuterTransaction) -> Iterator[None]:
        """Count *outer* among them in the block."""
        self.current.append(outer)
        try:
            yield
        finally:
            self.current.remove(outer)

    def opening(self, outer: OuterTransaction) -> None:
        """Prepare for the opening of *outer*.

        Raises:
            IsolationError: If another one is open.
        """
        for other in self.current:
            if other is not outer and other.connection is not None:
                raise outer.remember(_two(other, outer))
        if outer.loop is not None and outer.loop not in self._loops:
            self._loops.add(outer.loop)
            self._redirect.on_loop_end(outer.loop, self._end_on_this_loop)

    async def _end_on_this_loop(self) -> None:
        loop = asyncio.get_running_loop()
        self._loops.discard(loop)
        for outer in self.current:
            if outer.loop is loop:
                await outer.end_here()


def _two(first: OuterTransaction, second: OuterTransaction) -> IsolationError:
    uses = "".join(f"\n  {outer.fixture}: {outer.location or UNKNOWN}" for outer in (first, second))
    return IsolationError(
        f"The test or the application uses both db_session and sync_session.{uses}",
        why="They have different drivers, and so different connections: in rollback isolation neither sees the rows"
        " that the other has written. The application uses the one that overrides its dependency; a factory uses"
        " sync_session in create_sync() and db_session in create_async().",
        do=f"Use one of them. {RESET}",
    )


def _too_early() -> IsolationError:
    return IsolationError(
        "db_session is not connected yet, and the code that uses its connection cannot await.",
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
