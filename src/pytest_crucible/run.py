"""One run of tests against the worker databases: the begin and the end of each test."""

from __future__ import annotations

import os
import weakref
from collections.abc import Callable, Hashable, Iterable, Iterator, Mapping
from contextlib import ExitStack, contextmanager, nullcontext
from functools import cache, cached_property
from typing import TYPE_CHECKING, Any

from sqlalchemy.engine import Engine
from sqlalchemy.ext.asyncio import AsyncEngine, AsyncSession
from sqlalchemy.orm import Session

from .advice import driver_connections
from .advice.missing_relations import AbsentHints
from .advice.superuser_statements import SuperuserHints
from .app import application
from .app.overrides import DependencyOverrides, owners
from .errors.hints import Hints
from .factories import Factories
from .handle import Test
from .isolation.isolation import Isolation
from .isolation.lifespan import Lifespan
from .isolation.pending_tasks import PendingTasks
from .queries import Queries, QueryLog
from .report import Figures, Repetition
from .sessions import own_sessions
from .sessions.classes import async_session_class, sync_session_class
from .sessions.own_sessions import SessionCloser
from .sessions.sessionmakers import Sessionmakers
from .sessions.unawaited import Unawaited
from .sessions.uncommitted import Uncommitted
from .settings import Settings
from .settings.lookup import loaded
from .worker.worker import Worker

if TYPE_CHECKING:
    from .isolation.rollback import Rollback


class Run:
    """One pytest process, and all that it knows of the databases.

    Args:
        settings: The settings of the user.
        run: The name of the run.
        worker: The name of this process in the run.
    """

    def __init__(self, settings: Settings, run: str, worker: str) -> None:
        self.settings = settings
        self.worker = Worker(settings, run, worker)
        self.sessionmakers = Sessionmakers(settings, self._dependencies)
        self.sessions = SessionCloser(self.worker.redirect)
        self.factories = Factories(settings)
        self._figures = Figures()
        self.isolation = Isolation(settings, self.worker, self._figures)
        absent = AbsentHints(settings, self.worker.templates.tables)
        self.hints = Hints(
            [
                SuperuserHints(settings.server).explain,
                absent.explain,
                driver_connections.explain,
                self.isolation.ended.explain,
            ]
        )
        self._environ: dict[str, str | None] = {}
        self._lifespans: weakref.WeakSet[Lifespan] = weakref.WeakSet()
        self.uncommitted = Uncommitted()
        self.unawaited = Unawaited()
        self.queries = Queries(lambda: self.worker.redirect.owner.get() is None and not self.worker.preparing)
        self.overridden = DependencyOverrides(self.applications)
        self.pending_tasks = PendingTasks(self.worker.redirect)

    def install(self) -> None:
        """Redirect every engine, and hear of every lifespan, from now on."""
        self.worker.redirect.install()
        self.isolation.install()
        self.uncommitted.install()
        self.unawaited.install()

    def announce(self) -> None:
        """Set the variables that other processes read, before anything of the user's is imported."""
        self.isolation.children.open()
        for variable, drivername, asked in self.settings.variables():
            self._environ.setdefault(variable, os.environ.get(variable))
            os.environ[variable] = self.worker.planned_url(drivername, asked)

    def new_test(
        self,
        node_id: str,
        isolation: str,
        *,
        keep: bool,
        forbidden: str | None = None,
        names: Mapping[str, Mapping[str, Any]] | None = None,
    ) -> Test:
        """Return the handle of a test; see `Test` for the arguments."""
        return Test(
            node_id, isolation, keep, self.worker.address, self.applications, forbidden=forbidden, names=names or {}
        )

    @contextmanager
    def isolated(self, test: Test) -> Iterator[Test]:
        """Isolate *test*: what it commits in here is reset at the end, and what it overrides is restored."""
        redirect = self.worker.redirect
        self._begin(test)
        redirect.begin_test()
        try:
            try:
                with self.pending_tasks.reported(), self.overridden.restored():
                    yield test
            finally:
                redirect.end_test()
                self._end(test)
        finally:
            redirect.others.end_test()  # the last: it may raise its warning

    @contextmanager
    def async_session(self, engine: AsyncEngine, test: Test) -> Iterator[AsyncSession]:
        """Yield an asynchronous session for *test* on *engine*."""
        if test.isolation == "rollback":
            expires = self.sessionmakers.asynchronous_expires()
            with self.rollback.async_session(engine, test.is_kept, expire_on_commit=expires) as joined:
                yield joined
            return
        with self.sessions.closing(self._new_async_session(engine)) as session:
            yield session

    @contextmanager
    def sync_session(self, test: Test) -> Iterator[Session]:
        """Yield a synchronous session for *test*."""
        if test.isolation == "rollback":
            with self.rollback.sync_session(self.sync_engine, test.is_kept, self.sessionmakers.synchronous()) as joined:
                yield joined
            return
        with self._new_sync_session() as session:
            yield session

    @contextmanager
    def wide_sessions(self) -> Iterator[tuple[Callable[[], AsyncSession], Callable[[], Session]]]:
        """Yield openers of sessions for a fixture of a wider scope; each session is opened on first use."""
        with ExitStack() as opened:

            def asynchronous() -> AsyncSession:
                return opened.enter_context(self.sessions.closing(self._new_async_session(self.async_engine)))

            def synchronous() -> Session:
                return opened.enter_context(self._new_sync_session())

            yield cache(asynchronous), cache(synchronous)

    def _new_async_session(self, engine: AsyncEngine) -> AsyncSession:
        return async_session_class()(engine, expire_on_commit=self.sessionmakers.asynchronous_expires())

    def _new_sync_session(self) -> Session:
        making = self.sessionmakers.synchronous()
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
        from .isolation.rollback import Rollback

        return Rollback(self.worker)

    @contextmanager
    def explaining(self) -> Iterator[None]:
        """Fail the test on what rollback isolation cannot keep, even where the application has handled the error."""
        with self.rollback.explaining() if "rollback" in vars(self) else nullcontext():
            yield

    @contextmanager
    def overriding(self, test: Test, requested: Iterable[str], fixture: Callable[[str], Any]) -> Iterator[None]:
        """Override the dependency of ``crucible_get_session`` by the session of *test*, in rollback isolation."""
        if test.forbidden or test.isolation != "rollback":
            yield
            return
        from .isolation.rollback import dependency_of, fixture_for, overriding

        dependency = dependency_of(self.settings)
        if dependency is None:
            yield
            return
        running = self._running()
        session = fixture(fixture_for(dependency, requested))
        with overriding(running or [application(self.settings)], dependency, session):
            yield

    def applications(self) -> list[Any]:
        """Return the applications of ``crucible_app`` that exist by now."""
        found = loaded(self.settings.app) if self.settings.app else None
        running = self._running()
        return running if found is None or found in running or not owners(found) else [*running, found]

    def _dependencies(self) -> Iterator[Any]:
        """Yield the callables that the applications' routes depend on."""
        from .auth.routes import dependant_of, routes_of, subtree

        for route in (route for each in self.applications() for route in routes_of(each)):
            dependant = dependant_of(route.source)
            yield from (part.call for part in subtree(dependant)) if dependant is not None else ()

    def _running(self) -> list[Any]:
        return list({id(one.application): one.application for one in self._lifespans}.values())

    def lifespan(self, *, wide: bool) -> Lifespan:
        """Return the application's lifespan on a loop; a *wide* loop outlives a single test."""
        lifespan = Lifespan(self.worker, self.isolation.layers if wide else None, self.isolation.users.lifespans)
        self._lifespans.add(lifespan)
        self.overridden.learn()
        return lifespan

    def note_queries(self, test: Test, log: QueryLog) -> None:
        """Add the statements of *test* to the figures for the summary."""
        repeated = [Repetition(one.times, one.text, test.id) for one in log.repeated()]
        self._figures.add_log(log.count, repeated)

    def figures(self) -> Figures:
        """Return the figures of this process for the summary."""
        redirect = self.worker.redirect
        worker = Figures(
            notes=self.worker.notes,
            built=self.worker.templates.built,
            others={str(engine): engine.tested for engine in redirect.others.met},
            # A raw driver that reads its URL from the environment is not seen.
            postgresql=redirect.reached or bool(self.settings.url_env),
        )
        return self._figures.merged([worker])

    def end_fixture(self, key: Hashable) -> None:
        """Restore what a wide fixture overrode that was torn down, and take its rows away."""
        self.overridden.gone(key)
        self.isolation.end_fixture(key)

    def not_done(self, test: Test, named: Mapping[str, object]) -> str:
        """Describe rows not committed and calls not awaited in a failed *test*; *named*: its fixtures and variables."""
        lines = self.unawaited.describe(named)
        lines += [] if test.isolation == "rollback" else self.uncommitted.describe(named)
        return "\n".join(lines)

    def _begin(self, test: Test) -> None:
        self.uncommitted.begin()
        self.unawaited.begin()
        self.worker.redirect.forbid(test.forbidden)
        self.isolation.begin_test(test)

    def _end(self, test: Test) -> None:
        self.worker.redirect.forbid(None)
        self.isolation.end_test(test)

    def close(self) -> None:
        """Leave nothing behind; a forked child leaves everything to its parent."""
        if self.worker.parent is not None:
            return
        self.isolation.close()
        self.factories.close()
        self.uncommitted.remove()
        self.unawaited.remove()
        if "rollback" in vars(self):
            self.rollback.close()
        if "sync_engine" in vars(self):
            self.sync_engine.dispose()
        if "async_engine" in vars(self):
            # Its connections belong to loops, and are closed on them.
            self.async_engine.sync_engine.dispose(close=False)
        self.worker.close()
        for variable, value in self._environ.items():
            os.environ.pop(variable, None) if value is None else os.environ.update({variable: value})
