"""The outer transactions of one run."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from sqlalchemy.engine import Engine
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.ext.asyncio import AsyncEngine, AsyncSession
from sqlalchemy.orm import Session

from ...sessions.classes import async_session_class
from ...sessions.sessionmakers import Making
from ...worker.worker import Worker
from .constraints import Constraints
from .elsewhere import Elsewhere
from .guard import Guard
from .outer import OuterTransaction, OuterTransactions
from .session import JoinedSession, joined_class


class Rollback:
    """The sessions in outer transactions, of one run."""

    def __init__(self, worker: Worker) -> None:
        self._worker = worker
        self._outers = OuterTransactions(worker.redirect)
        self._elsewhere = Elsewhere(self._outers, worker)
        self._guard = Guard(self._outers)
        self._constraints: tuple[int, Constraints] = (-1, Constraints())

    @contextmanager
    def async_session(
        self, engine: AsyncEngine, keep: Callable[[], bool], *, expire_on_commit: bool = False
    ) -> Iterator[AsyncSession]:
        """Yield an asynchronous session on *engine*; roll its work back, or commit it if *keep* returns true."""
        with self._outer(engine.sync_engine) as outer:
            kind = async_session_class()
            session = kind(sync_session_class=joined_class(), outer=outer, expire_on_commit=expire_on_commit)
            try:
                yield session
            finally:
                outer.end_on_its_loop(keep=keep())
                _forget(session.sync_session)

    @contextmanager
    def sync_session(
        self,
        engine: Engine,
        keep: Callable[[], bool],
        making: Making = Making(),  # noqa: B008 # it is frozen
    ) -> Iterator[JoinedSession]:
        """Yield a synchronous session on *engine*; roll its work back, or commit it if *keep* returns true."""
        with self._outer(engine) as outer:
            session = joined_class(making.kind)(outer=outer, **making.kwargs)
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
            cause = self._outers.error
            if cause is None or cause is error:
                self._annotate(error)
                raise
            raise cause from error
        cause = self._outers.error
        if cause is not None:
            raise cause

    def _annotate(self, error: Exception) -> None:
        note = self._elsewhere.note()
        is_used = any(outer.connection is not None for outer in self._outers.current)
        if note and is_used and hasattr(error, "add_note"):  # Python 3.11
            error.add_note(note)

    def close(self) -> None:
        """Stop listening."""
        self._guard.close()
        self._elsewhere.close()

    @contextmanager
    def _outer(self, engine: Engine) -> Iterator[OuterTransaction]:
        self._guard.watch(engine)
        outer = OuterTransaction(engine, self._constraints_now(), self._outers)
        with self._outers.including(outer):
            if len(self._outers.current) == 1:
                self._elsewhere.listen()
            yield outer

    def _constraints_now(self) -> Constraints:
        generation = self._worker.main.generation  # a fresh clone may have other constraints
        if generation != self._constraints[0]:
            self._constraints = (generation, Constraints())
        return self._constraints[1]


def _forget(session: Session) -> None:
    """Close *session*, whose transactions have ended: nothing is sent."""
    with contextlib.suppress(SQLAlchemyError):  # a task is still in the middle of an operation
        session.close()
