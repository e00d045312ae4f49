"""The outer transactions of one run."""

from __future__ import annotations

import asyncio
import contextlib
import weakref
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from sqlalchemy.engine import Connection, Engine
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.ext.asyncio import AsyncEngine, AsyncSession
from sqlalchemy.orm import Session

from ...errors import IsolationError
from ...redirect.loops import Loop
from ...sessions.classes import async_session_class
from ...sessions.sessionmakers import Making
from ...worker.worker import Worker
from .constraints import Constraints
from .elsewhere import Elsewhere
from .guard import Guard
from .outer import OuterTransaction
from .savepoints import RESET
from .session import JoinedSession, joined_class


class Rollback:
    """The outer transactions of one run: at most one at a time.

    Args:
        worker: The worker database.
    """

    def __init__(self, worker: Worker) -> None:
        self._worker = worker
        self._elsewhere = Elsewhere(self._is_apart)
        self._guard = Guard(self._on)
        self._current: list[OuterTransaction] = []
        self._constraints: tuple[int, Constraints] = (-1, Constraints())
        self._loops: weakref.WeakSet[Loop] = weakref.WeakSet()

    @contextmanager
    def async_session(
        self, engine: AsyncEngine, keep: Callable[[], bool], *, expire_on_commit: bool = False
    ) -> Iterator[AsyncSession]:
        """Yield an asynchronous session on *engine*; roll its work back, or commit it if *keep* returns true."""
        outer = self._outer(engine.sync_engine)
        kind = async_session_class()
        session = kind(sync_session_class=joined_class(), outer=outer, expire_on_commit=expire_on_commit)
        with self._current_is(outer):
            try:
                yield session
            finally:
                self._on_its_loop(outer, keep=keep())
                _forget(session.sync_session)

    @contextmanager
    def sync_session(
        self,
        engine: Engine,
        keep: Callable[[], bool],
        making: Making = Making(),  # noqa: B008 # it is frozen
    ) -> Iterator[JoinedSession]:
        """Yield a synchronous session on *engine*; roll its work back, or commit it if *keep* returns true."""
        outer = self._outer(engine)
        session = joined_class(making.kind)(outer=outer, **making.kwargs)
        with self._current_is(outer):
            try:
                yield session
            finally:
                outer.end(keep=keep())
                _forget(session)

    @contextmanager
    def explaining(self) -> Iterator[None]:
        """Raise the error that the outer transaction met in the block, even if the application swallowed it."""
        try:
            yield
        except Exception as error:
            cause = self._error()
            if cause is None or cause is error:
                self._annotate(error)
                raise
            raise cause from error
        cause = self._error()
        if cause is not None:
            raise cause

    def _annotate(self, error: Exception) -> None:
        note = self._elsewhere.note(is_overridden=self._worker.settings.get_session is not None)
        is_used = any(outer.connection is not None for outer in self._current)
        if note and is_used and hasattr(error, "add_note"):  # Python 3.11
            error.add_note(note)

    def _error(self) -> IsolationError | None:
        return next((outer.error for outer in self._current if outer.error is not None), None)

    def close(self) -> None:
        """Stop listening."""
        self._guard.close()
        self._elsewhere.close()

    # -- opening -----------------------------------------------------------------------------------------------------

    def _outer(self, engine: Engine) -> OuterTransaction:
        self._guard.watch(engine)
        return OuterTransaction(engine, self._constraints_now(), self._opening)

    def _constraints_now(self) -> Constraints:
        generation = self._worker.generation  # a fresh clone may have other constraints
        if generation != self._constraints[0]:
            self._constraints = (generation, Constraints())
        return self._constraints[1]

    def _is_apart(self, connection: Connection) -> bool:
        """Return whether *connection* need not be noted as one that does not see the test's rows.

        It leads to another database, or is the test's own, or belongs to a fixture of a wider scope or a lifespan.
        """
        is_main = self._worker.redirect.database_of(connection) == self._worker.database
        is_own = any(outer.is_opening or outer.connection is connection for outer in self._current)
        return not is_main or is_own or not self._current or self._worker.redirect.owner.get() is not None

    def _opening(self, outer: OuterTransaction) -> None:
        for other in self._current:
            if other is not outer and other.connection is not None:
                raise outer.remember(_two(other, outer))
        if outer.loop is not None and outer.loop not in self._loops:
            self._loops.add(outer.loop)
            self._worker.redirect.on_loop_end(outer.loop, self._end_on_this_loop)

    def _on(self, connection: Connection) -> OuterTransaction | None:
        return next((outer for outer in self._current if outer.connection is connection), None)

    @contextmanager
    def _current_is(self, outer: OuterTransaction) -> Iterator[None]:
        self._current.append(outer)
        if len(self._current) == 1:
            self._elsewhere.listen()
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

    def _on_its_loop(self, outer: OuterTransaction, *, keep: bool) -> None:
        """End *outer* on the loop that used it, which may run in another thread."""
        loop = outer.loop
        if loop is None or loop.is_closed():
            outer.is_ending = True
        elif not loop.is_running():
            loop.run_until_complete(_end(outer, keep=keep))
        else:
            asyncio.run_coroutine_threadsafe(_end(outer, keep=keep), loop).result(10)


async def _end(outer: OuterTransaction, *, keep: bool = False) -> None:
    outer.is_ending = True
    await outer.turns.interrupt()
    # A session's run_sync() is SQLAlchemy's public way to call an asynchronous driver from synchronous code.
    await AsyncSession().run_sync(lambda _: outer.end(keep=keep))


def _forget(session: Session) -> None:
    """Close *session*, whose transactions have ended: nothing is sent."""
    with contextlib.suppress(SQLAlchemyError):  # a task is still in the middle of an operation
        session.close()


def _two(first: OuterTransaction, second: OuterTransaction) -> IsolationError:
    uses = "".join(f"\n  {outer.fixture}: {outer.place or 'an unknown place'}" for outer in (first, second))
    return IsolationError(
        f"The test or the application uses both db_session and sync_session.{uses}",
        why="They have different drivers, and so different connections: in rollback isolation neither sees the rows"
        " that the other has written. The application uses the one that overrides its dependency; a factory uses"
        " sync_session in create_sync() and db_session in create_async().",
        do=f"Use one of them. {RESET}",
    )
