"""One run of tests against the worker databases: the begin and the end of each test."""

from __future__ import annotations

import os
from collections.abc import Callable, Collection, Hashable, Iterable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from functools import cached_property, partial
from typing import TYPE_CHECKING, Any

from .app import application
from .app.applications import Applications
from .app.overrides import DependencyOverrides
from .errors import CrucibleError, UsageError
from .errors.hints import Explain, Hints
from .factories import Factories
from .handle import Test
from .isolation.isolation import Isolation
from .isolation.lifespan import Lifespan
from .isolation.pending_tasks import PendingTasks
from .isolation.resets import IsolatedTest
from .isolation.session_provider import SessionProvider
from .queries import Queries, QueryLog
from .report import Figures, Repetition
from .sessions.sessionmakers import Sessionmakers
from .sessions.unawaited import Unawaited
from .sessions.uncommitted import Uncommitted
from .settings import Settings
from .worker.worker import Worker

if TYPE_CHECKING:
    from sqlalchemy.orm import Session

    from .isolation.checkpoints import Checkpoint, Checkpoints


class CurrentTest:
    """The test that runs now.

    Attributes:
        handle: Its handle.
        ending: The context managers that end with it, before its reset.
        kept: The objects of other modules that live as long as it.
    """

    def __init__(self, handle: Test) -> None:
        self.handle = handle
        self.ending = ExitStack()
        self.kept: dict[Hashable, Any] = {}


# The run of this process, and those that tests start in it.
RUNS: list[Run] = []


def current_test() -> tuple[Run, CurrentTest]:
    """Return the run of this process, and the test that runs now.

    Raises:
        UsageError: If there is none.
    """
    run = RUNS[-1] if RUNS else None
    if run is None or run.current is None:
        raise UsageError(
            "There is no test whose database could be used.",
            why="Crucible is not set up for this project, or the call is not part of a test that pytest runs.",
            do="Set crucible_metadata or crucible_alembic, and run the test by pytest.",
        )
    return run, run.current


class Run:
    """One pytest process, and all that it knows of the databases."""

    def __init__(self, settings: Settings, run: str, worker: str, *, is_ini: bool = False) -> None:
        self.settings = settings
        self.worker = Worker(settings, run, worker)
        self.applications = Applications(settings)
        self.sessions = SessionProvider(self.worker, Sessionmakers(settings, self._dependencies))
        self.factories = Factories(settings)
        self._figures = Figures()
        self.isolation = Isolation(settings, self.worker, self._figures)
        self.hints = Hints(partial(self._explanations, is_ini=is_ini))
        self._environ: dict[str, str | None] = {}
        self.uncommitted = Uncommitted()
        self.unawaited = Unawaited()
        self.queries = Queries(self.worker.redirect)
        self.overridden = DependencyOverrides(self.applications)
        self.pending_tasks = PendingTasks(self.worker.redirect)
        self.current: CurrentTest | None = None

    def _explanations(self, *, is_ini: bool) -> list[Explain]:
        from .advice.explanations import explanations

        tables = self.worker.templates.tables
        return [*explanations(self.settings, tables, is_ini=is_ini), self.isolation.ended.explain]

    def install(self) -> None:
        """Redirect every engine, and hear of every lifespan, from now on."""
        RUNS.append(self)
        self.worker.redirect.install()
        self.isolation.install()
        self.uncommitted.install()
        self.unawaited.install()

    def announce(self) -> None:
        """Set the variables that other processes read, before anything of the user's is imported."""
        self.isolation.children.open()
        for variable in self.settings.variables():
            self._environ.setdefault(variable.name, os.environ.get(variable.name))
            os.environ[variable.name] = self.worker.planned_url(variable)

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
            node_id,
            isolation,
            keep,
            self.worker,
            self.applications,
            self.new_checkpoint,
            forbidden=forbidden,
            names=names or {},
        )

    @cached_property
    def checkpoints(self) -> Checkpoints:
        """The checkpoints of this process; loaded only where a test has one."""
        from .isolation.checkpoints import Checkpoints

        return Checkpoints(self.worker, self.isolation, self.sessions)

    def new_checkpoint(self, test: Test, sessions: Collection[Session] = ()) -> Checkpoint:
        """Return a checkpoint of *test*, which also rolls *sessions* back."""
        from .isolation.checkpoints import Checkpoint

        return Checkpoint(self.checkpoints, test, sessions)

    @contextmanager
    def isolated(self, test: Test) -> Iterator[Test]:
        """Isolate *test*: what it commits in here is reset at the end, and what it overrides is restored."""
        redirect = self.worker.redirect
        self.uncommitted.begin()
        self.unawaited.begin()
        redirect.prohibition.set(test.forbidden)
        self.isolation.begin_test(test)
        redirect.begin_test()
        try:
            try:
                with self.pending_tasks.reported(), self.overridden.restored():
                    self.current = CurrentTest(test)
                    with self.current.ending:
                        yield test
            finally:
                self._end(test)
        finally:
            redirect.others.end_test()  # the last: it may raise its warning

    def _end(self, test: IsolatedTest, *, again: bool = False) -> None:
        self.current = None
        self.worker.redirect.end_test()
        self.worker.redirect.prohibition.set(None)
        try:
            if "checkpoints" in vars(self):
                self.checkpoints.end_test(test)
        except CrucibleError:  # after anything else, such as a time-out, the whole end is repeated
            self.isolation.end_test(test, again=again)
            raise
        self.isolation.end_test(test, again=again)

    def before_setup(self, fixtures: Collection[str]) -> None:
        """Wait for the reset, before hooks and *fixtures* of the next test see a database.

        Where a time-out has cut the end of the last test short, or of fixtures that went with it, it is done again.
        """
        self.isolation.finish_reset()
        if (test := self.isolation.unfinished) is not None:
            try:
                self._end(test, again=True)
            except Exception:
                self.isolation.unfinished = None  # no time-out: every later test would fail alike
                raise
        self.isolation.finish_fixtures()
        self.isolation.wide_lifespans.check(fixtures)

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
        running = self.applications.with_lifespan()
        session = fixture(fixture_for(dependency, requested))
        with overriding(running or [application(self.settings)], dependency, session):
            yield

    def _dependencies(self) -> Iterator[Any]:
        """Yield the callables that the applications' routes depend on."""
        from .auth.routes import dependant_of, routes_of, subtree

        for route in (route for each in self.applications.all() for route in routes_of(each)):
            dependant = dependant_of(route.source)
            yield from (part.call for part in subtree(dependant)) if dependant is not None else ()

    def lifespan(self, *, wide: bool) -> Lifespan:
        """Return the application's lifespan on a loop; a *wide* loop outlives a single test."""
        lifespan = Lifespan(self.worker, self.isolation.layers if wide else None, self.isolation.users.lifespans)
        self.applications.add(lifespan, lifespan.application)
        self.overridden.learn()
        return lifespan

    def note_queries(self, test: Test, log: QueryLog) -> None:
        """Add the statements of *test* to the figures for the summary."""
        repeated = [Repetition(statement.times, statement.text, test.id) for statement in log.repeated()]
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

    def close(self) -> None:
        """Leave nothing behind; a forked child leaves everything to its parent."""
        if self.worker.parent is not None:
            return
        if self in RUNS:
            RUNS.remove(self)
        self.isolation.close()
        self.factories.close()
        self.uncommitted.remove()
        self.unawaited.remove()
        self.sessions.close()
        self.worker.close()
        for variable, value in self._environ.items():
            os.environ.pop(variable, None) if value is None else os.environ.update({variable: value})
