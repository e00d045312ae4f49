"""The isolation of tests: the reset after each test, and everything that has to give way for it."""

from __future__ import annotations

import math
from collections.abc import Callable, Collection, Hashable, Iterable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from typing import Any, Protocol

from ..report import Figures
from ..settings import Settings
from ..worker.database import Database
from ..worker.worker import Worker
from .child_processes import Children
from .database_reset import ENDED, DatabaseReset, give_time_while
from .layers import Layers
from .leaks import Circumstances, Ended, Leak, is_active, report
from .lifespan import Lifespan
from .lifespan_libraries import Libraries
from .watchdog import Watchdog
from .wide_lifespans import WideLifespans


class IsolatedTest(Protocol):
    """The test that is isolated: how, and what is found at its end; see `pytest_crucible.handle.Test`."""

    id: str
    isolation: str
    keep: bool
    failed: bool
    began: float
    names: Mapping[str, Mapping[str, Any]]
    leaks: list[Leak]
    kept: list[str]


class Isolation:
    """The isolation of the tests of one process.

    Args:
        settings: The settings of the user.
        worker: The worker databases.
        figures: The figures of the process, to which each fresh clone is added.

    Attributes:
        layers: The rows of wide fixtures.
        lifespans: The lifespans that run on a loop that outlives its tests.
        wide_lifespans: The lifespans that the project's own wide fixtures run.
        children: The child processes.
        watchdog: The watchdog.
        ended: The backends that were ended, for errors that follow.
        fixtures: The name and the value of each wide fixture that is up.
    """

    def __init__(self, settings: Settings, worker: Worker, figures: Figures) -> None:
        self.layers = Layers(worker, lambda database: self._suspend([database], copied=True))
        self.lifespans: set[Lifespan] = set()
        self.wide_lifespans = WideLifespans(self.layers, worker.redirect, worker.notes)
        self.children = Children(worker, self.layers, self.reset_between_tests)
        self.watchdog = Watchdog(worker)
        self.ended = Ended()
        self.fixtures: dict[Hashable, tuple[str, Any]] = {}
        self._libraries = Libraries(self.wide_lifespans)
        self._settings = settings
        self._worker = worker
        self._figures = figures

    def install(self) -> None:
        """Follow every lifespan that starts from now on."""
        self._libraries.install()

    def close(self) -> None:
        """End the service for children and the watchdog."""
        self.children.close()
        self._libraries.remove()
        self.watchdog.close()

    def begin_test(self, test: IsolatedTest) -> None:
        """Make the databases ready, and note when *test* begins and which transactions are open before it."""
        worker = self._worker
        self.children.reset_after_end()
        self.layers.in_test = True
        for _, _, key in self._settings.variables():
            # A raw driver that reads its URL from the environment starts nothing by itself.
            worker.ready(key)
        for database in worker.databases:
            test.began = database.connect().now()
        self.watchdog.test_began = test.began
        if not worker.redirect.test:  # what modules have left open; later, fixtures are looked at
            worker.note_open()

    def end_test(self, test: IsolatedTest) -> None:
        """Reset the databases that *test* may have changed, or have the next test get fresh clones.

        Raises:
            LeakWarning: If the user made it an error, and the test left a transaction open.
            ResetError: If a database could not be reset.
            ServerError: If a database was lost.
        """
        worker = self._worker
        self.layers.in_test = False
        self.watchdog.test_began = math.inf
        if worker.parent is not None:
            worker.parent.settle()
        if not worker.started:
            return
        if test.isolation == "clone" or (test.failed and test.keep):
            test.leaks += self._end_leaks(test)
        else:
            test.leaks += self._reset(self.children.touched(), self._circumstances(test), test.id)
        if test.failed and test.keep:
            self._suspend(worker.databases)
            test.kept = worker.keep(test.id)
        elif test.isolation == "clone":
            worker.discard()
        if worker.stale:
            self._make_way_for_clones(test)
        worker.redirect.after_test()
        self.wide_lifespans.resume()
        if test.leaks:
            self.ended.note(test.id, (leak for leak in test.leaks if leak.outcome == ENDED))
            report(test.leaks)

    @contextmanager
    def fixture(self, key: Hashable, name: str) -> Iterator[None]:
        """Set a wide fixture up in here: what it commits becomes its layer."""
        try:
            with self.layers.coming_up(key, name):
                yield
        finally:
            self.wide_lifespans.resume()

    def end_fixture(self, key: Hashable) -> None:
        """Take the layer of a wide fixture off that was torn down, and reset what its teardown did."""
        self.fixtures.pop(key, None)
        if self.layers.gone(key):
            if stale := [database for database in self._worker.databases if database.stale]:
                self._suspend(stale)
            self.reset_between_tests(self._worker.databases)
            self.wide_lifespans.resume()

    def reset_between_tests(self, databases: Iterable[Database]) -> None:
        """Reset *databases* while no test runs."""
        self._worker.note_open()
        self._reset(databases, self._circumstances(None), "")

    def _reset(self, databases: Iterable[Database], now: Circumstances, test: str) -> list[Leak]:
        """Reset each of *databases*, whatever happens to one of them; return the leaks."""
        leaks = self._for_each(databases, DatabaseReset.reset, now)
        for reason in self._worker.clones():
            self._figures.add_clone(reason, test)
        return leaks

    def _end_leaks(self, test: IsolatedTest) -> list[Leak]:
        """Have the transactions give way that *test* left open in databases that are about to go."""
        return self._for_each(self._worker.databases, DatabaseReset.end_leaks, self._circumstances(test))

    def _for_each(
        self, databases: Iterable[Database], act: Callable[[DatabaseReset], list[Leak]], now: Circumstances
    ) -> list[Leak]:
        leaks: list[Leak] = []

        def act_on(database: Database) -> None:
            leaks.extend(act(DatabaseReset(database, self._worker.redirect, now)))

        with ExitStack() as each:  # the last one first, and the others also where one raises an error
            for database in reversed([*databases]):
                each.callback(act_on, database)
        return leaks

    def _circumstances(self, test: IsolatedTest | None) -> Circumstances:
        redirect = self._worker.redirect
        return Circumstances(
            math.inf if test is None else test.began,  # between tests, everything open is older
            redirect.test,
            self._worker.before,
            test is not None and self._settings.leaks == "all",
            dict(self.fixtures.values()),
            {} if test is None else test.names,
            redirect.holders.first,
        )

    def _make_way_for_clones(self, test: IsolatedTest) -> None:
        """Shut down what uses stale databases."""
        databases = self._worker.databases
        self.ended.note_clone(test.id)
        self._suspend([database for database in databases if database.stale])
        # A fresh clone has no rows of the layers that went with the applications; the others have them still.
        self.reset_between_tests([database for database in databases if not database.stale])

    def _suspend(self, databases: Collection[Database], *, copied: bool = False) -> None:
        """Shut applications down, and have open connections given up, before *databases* go.

        With *copied*, their rows stay.
        """
        gone = {(database.name, database.generation) for database in databases}
        self._worker.leaving = True
        try:
            self.wide_lifespans.suspend(databases, copied=copied)
            for lifespan in list(self.lifespans):
                lifespan.suspend()
        finally:
            self._worker.leaving = False
        redirect = self._worker.redirect
        give_time_while(
            lambda: bool(redirect.connecting) or any(map(is_active, redirect.holders.in_use(gone))), redirect
        )
        redirect.holders.let_go(gone)
