"""The sessions of tests and wide fixtures, in every isolation."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, nullcontext
from functools import cache, cached_property
from typing import TYPE_CHECKING

from sqlalchemy.engine import Engine
from sqlalchemy.ext.asyncio import AsyncEngine, AsyncSession
from sqlalchemy.orm import Session

from ..sessions import own_sessions
from ..sessions.classes import async_session_class, sync_session_class
from ..sessions.own_sessions import SessionCloser
from ..sessions.sessionmakers import Sessionmakers
from ..worker.worker import Worker
from .resets import IsolatedTest

if TYPE_CHECKING:
    from .rollback import Rollback


class SessionProvider:
    """The provider of sessions, made as the application makes its own."""

    def __init__(self, worker: Worker, sessionmakers: Sessionmakers) -> None:
        self._worker = worker
        self._sessionmakers = sessionmakers
        self._closer = SessionCloser(worker.redirect)
        self._open: dict[AsyncEngine, AsyncSession] = {}
        self._synchronous: list[Session] = []

    @property
    def open(self) -> list[Session]:
        """The sessions that the test has, those of rollback isolation left out."""
        return [*(session.sync_session for session in self._open.values()), *self._synchronous]

    @contextmanager
    def async_session(self, engine: AsyncEngine, test: IsolatedTest) -> Iterator[AsyncSession]:
        """Yield the asynchronous session for *test* on *engine*: a new one, unless it is open already."""
        if engine in self._open:
            yield self._open[engine]
            return
        with self._opened(engine, test) as session:
            self._open[engine] = session
            try:
                yield session
            finally:
                del self._open[engine]

    @contextmanager
    def _opened(self, engine: AsyncEngine, test: IsolatedTest) -> Iterator[AsyncSession]:
        if test.isolation == "rollback":
            expires = self._sessionmakers.asynchronous_expires()
            with self.rollback.async_session(engine, test.is_kept, expire_on_commit=expires) as joined:
                yield joined
            return
        with self._closer.closing(self._new_async_session(engine)) as session:
            yield session

    @contextmanager
    def sync_session(self, test: IsolatedTest) -> Iterator[Session]:
        """Yield a synchronous session for *test*."""
        if test.isolation == "rollback":
            making = self._sessionmakers.synchronous()
            with self.rollback.sync_session(self.sync_engine, test.is_kept, making) as joined:
                yield joined
            return
        with self._new_sync_session() as session:
            self._synchronous.append(session)
            try:
                yield session
            finally:
                self._synchronous.remove(session)

    @contextmanager
    def wide_sessions(self) -> Iterator[tuple[Callable[[], AsyncSession], Callable[[], Session]]]:
        """Yield openers of sessions for a fixture of a wider scope; each session is opened on first use."""
        with ExitStack() as opened:

            def asynchronous() -> AsyncSession:
                return opened.enter_context(self._closer.closing(self._new_async_session(self.async_engine)))

            def synchronous() -> Session:
                return opened.enter_context(self._new_sync_session())

            yield cache(asynchronous), cache(synchronous)

    def _new_async_session(self, engine: AsyncEngine) -> AsyncSession:
        return async_session_class()(engine, expire_on_commit=self._sessionmakers.asynchronous_expires())

    def _new_sync_session(self) -> Session:
        making = self._sessionmakers.synchronous()
        return sync_session_class(making.kind)(self.sync_engine, **making.kwargs)

    @cached_property
    def async_engine(self) -> AsyncEngine:
        """The engine of the asynchronous sessions."""
        return own_sessions.async_engine()

    @cached_property
    def sync_engine(self) -> Engine:
        """The engine of the synchronous sessions."""
        return own_sessions.sync_engine()

    @cached_property
    def rollback(self) -> Rollback:
        """The outer transactions of rollback isolation; loaded only where a test is isolated so."""
        from .rollback import Rollback

        return Rollback(self._worker)

    @contextmanager
    def explaining(self) -> Iterator[None]:
        """Fail the test on what rollback isolation cannot keep, even where the application has handled the error."""
        with self.rollback.explaining() if "rollback" in vars(self) else nullcontext():
            yield

    def close(self) -> None:
        """Stop listening, and close the engines."""
        if "rollback" in vars(self):
            self.rollback.close()
        if "sync_engine" in vars(self):
            self.sync_engine.dispose()
        if "async_engine" in vars(self):
            # Its connections belong to loops, and are closed on them.
            self.async_engine.sync_engine.dispose(close=False)
