"""The isolation of tests: the reset after each test, and everything that has to give way for it."""

from __future__ import annotations

import math
import warnings
from collections.abc import Collection, Hashable, Iterable, Iterator
from contextlib import contextmanager, suppress

from ..errors import CrucibleError, LeakWarning, ServerError
from ..report import Figures
from ..settings import Settings
from ..worker.database import Database
from ..worker.worker import Worker
from .child_processes import Children
from .database_reset import ENDED
from .database_users import DatabaseUsers
from .layers import Layers
from .leaks import Ended, Leak, report
from .lifespan_libraries import Libraries
from .resets import IsolatedTest, Resets
from .watchdog import Watchdog
from .wide_lifespans import WideLifespans


class Isolation:
    """The isolation of the tests of one process.

    Args:
        settings: The settings of the user.
        worker: The worker databases.
        figures: The figures of the process, to which each fresh clone is added.

    Attributes:
        layers: The rows of wide fixtures.
        resets: The resets of the databases.
        users: The applications and connections that use the databases.
        wide_lifespans: The lifespans that the project's own wide fixtures run.
        children: The child processes.
        watchdog: The watchdog.
        ended: The backends that were ended, for errors that follow.
        is_last: Whether no test of this process follows.
        is_last_of_group: Whether no test of the same class or module follows.
        unfinished: The test whose end is not complete: it goes on, is being reset, or a time-out has cut its end short.
    """

    def __init__(self, settings: Settings, worker: Worker, figures: Figures) -> None:
        self.users = DatabaseUsers(worker)
        self.layers = Layers(worker, self.users)
        self.resets = Resets(settings, worker, figures)
        self.wide_lifespans = WideLifespans(self.users, self.layers, worker.redirect)
        self.children = Children(worker, self.layers, self.resets, self._finish_reset_at_end)
        self.watchdog = Watchdog(worker)
        self.ended = Ended()
        self.is_last = self.is_last_of_group = False
        self.unfinished: IsolatedTest | None = None
        self._libraries = Libraries(self.wide_lifespans)
        self._settings = settings
        self._reset_after: IsolatedTest | None = None
        self._torn_down: list[Hashable] = []
        self._is_wary = False
        self._worker = worker

    def install(self) -> None:
        """Follow every lifespan that starts from now on."""
        self._libraries.install()

    def close(self) -> None:
        """End the service for children and the watchdog."""
        self._finish_reset_at_end()
        self.children.close()
        self._libraries.remove()
        self.watchdog.close()

    def note_next(self, group: Hashable, following: Hashable) -> None:
        """Note the *group* (class or module) of the test that comes now, and that *following* it, if any."""
        self.is_last, self.is_last_of_group = following is None, following is not group

    def begin_test(self, test: IsolatedTest) -> None:
        """Make the databases ready, and note when *test* begins and which transactions are open before it."""
        worker = self._worker
        self.finish_reset()
        self.children.reset_after_end()
        self.layers.in_test = True
        for variable in self._settings.variables():
            # A raw driver that reads its URL from the environment starts nothing by itself.
            worker.ready(variable.database)
        for database in worker.databases:
            test.began = database.connect().now()
            if not self.is_last and (database.needs_clones or test.isolation == "clone"):
                database.prepare_successor()
        self.watchdog.test_began = test.began
        if not worker.redirect.test:  # what modules have left open; later, fixtures are looked at
            worker.note_open()
        self.unfinished = test

    def end_test(self, test: IsolatedTest, *, again: bool = False) -> None:
        """Reset the databases that *test* may have changed, or have the next test get fresh clones.

        Where nothing but another test of the same class or module can come, the reset is only sent, and `finish_reset`
        waits for it: meanwhile pytest reports the test, and prepares the next one.

        Args:
            test: The test.
            again: Whether a time-out has cut its end short: then any database may have changed.

        Raises:
            LeakWarning: If the user made it an error, and the test left a transaction open.
            ResetError: If a database could not be reset.
            ServerError: If a database was lost.
        """
        worker = self._worker
        self.layers.in_test = False
        self.watchdog.test_began = math.inf
        with self._completing():
            if worker.parent is not None:
                worker.parent.reset()
            if again:
                self._discard_unanswered()
            if worker.started:
                self._end(test, worker.databases if again else self.children.touched(), late=again)

    def _end(self, test: IsolatedTest, databases: Collection[Database], *, late: bool) -> None:
        if test.isolation == "clone" or test.is_kept():
            test.leaks += self.resets.end_leaks(test)
            self._finish(test, databases, late=late)
            return
        self.resets.send([database for database in databases if not database.stale], test)
        if late or self._must_wait(test, databases):
            test.leaks += self.resets.finish(test)
            self._finish(test, late=late)
        else:
            self._reset_after = test

    def _discard_unanswered(self) -> None:
        """Discard databases of which it is unknown whether they were reset: the answer may ask for a fresh clone."""
        for database in self._worker.databases:
            if database.is_resetting:
                database.discard()

    @contextmanager
    def _completing(self) -> Iterator[None]:
        """Note that the end of a test is complete, unless a time-out cuts it short, or a reset was only sent."""
        try:
            yield
        except (CrucibleError, LeakWarning):
            self.unfinished = None
            raise
        self.unfinished = self._reset_after

    def send_within(self, test: IsolatedTest, databases: Collection[Database]) -> bool:
        """Send the reset of *databases* to their baseline, while *test* goes on.

        Returns:
            Whether `finish_within` may wait for it later; else it is to be called now.
        """
        self.resets.send([database for database in databases if not database.stale], test)
        return (
            self._settings.leaks != "all"
            and not self._is_wary
            and not self.children.are_alive
            and not self._worker.stale
            and self._worker.can_finish_later(databases)
        )

    def finish_within(self, test: IsolatedTest, *, late: bool = False) -> list[Leak]:
        """Wait for the reset that was sent while *test* goes on; return what it had open, which gave way.

        Raises:
            ResetError: If a database could not be reset.
            ServerError: If a database was lost.
        """
        leaks = self.resets.finish(test)
        self._is_wary = self._is_wary or bool(late and leaks)
        if self._worker.stale:
            with self.users.resumed():
                self._make_way_for_clones(test)
            self.wide_lifespans.resume()
        return leaks

    def finish_reset(self) -> None:
        """Wait until the databases are reset after the last test, and report what it left open.

        A warning would appear in the next test, so the reset of a test that may leave something open is not left
        under way; after the first surprise, such as an advisory lock that a function takes, none is.

        Raises:
            LeakWarning: See `end_test`.
            ResetError: Likewise.
        """
        if (test := self._reset_after) is not None:
            self._reset_after = None
            with suppress(ServerError), self._completing():  # the next user of a lost database gets a fresh one
                test.leaks += self.resets.finish(test)
                self._finish(test, late=True)

    def _finish_reset_at_end(self) -> None:
        """Like `finish_reset`, where a leak cannot be an error of a test."""
        with warnings.catch_warnings(), suppress(CrucibleError):
            warnings.simplefilter("default", LeakWarning)
            self.finish_reset()

    def _must_wait(self, test: IsolatedTest, touched: Collection[Database]) -> bool:
        """Return whether the reset after *test* may find a leak, which is to be reported in this test."""
        return (
            self.is_last_of_group
            or test.failed
            or test.isolation != "reset"
            or self._settings.leaks == "all"
            or self._is_wary
            or self.children.are_alive
            or not self._worker.can_finish_later(touched)
        )

    def _finish(self, test: IsolatedTest, touched: Iterable[Database] = (), *, late: bool = False) -> None:
        worker = self._worker
        if test.is_kept():
            self._suspend(worker.databases)
            test.kept = worker.keep(test.id)
        elif test.isolation == "clone":
            for database in touched:
                database.discard()
        if worker.stale:
            self._make_way_for_clones(test)
        worker.redirect.after_test()
        self.wide_lifespans.resume()
        if test.leaks:
            self._is_wary = self._is_wary or late
            self.ended.note(test.id, (leak for leak in test.leaks if leak.outcome == ENDED))
            report(test.leaks, test.id if late else "")

    @contextmanager
    def fixture(self, key: Hashable, name: str) -> Iterator[None]:
        """Set a wide fixture up in here: what it commits becomes its layer."""
        self.finish_reset()
        try:
            with self.layers.coming_up(key, name):
                yield
        finally:
            self.wide_lifespans.resume()

    def end_fixture(self, key: Hashable) -> None:
        """Take the layer of a wide fixture off that was torn down, and reset what its teardown did."""
        self._torn_down.append(key)  # until that is done: a time-out may come
        self._finish_reset_at_end()
        self.resets.fixtures.pop(key, None)
        self._end_fixtures(again=False)

    def finish_fixtures(self) -> None:
        """Do what follows the teardown of wide fixtures once more, where a time-out has cut it short."""
        if self._torn_down:
            self._discard_unanswered()
            self._end_fixtures(again=True)

    def _end_fixtures(self, *, again: bool) -> None:
        try:
            gone = [self.layers.gone(key) for key in self._torn_down]
            if again or any(gone):
                if stale := [database for database in self._worker.databases if database.stale]:
                    self._suspend(stale)
                self.resets.between_tests(self._worker.databases)
                self.wide_lifespans.resume()
        except Exception:
            self._torn_down.clear()
            raise
        self._torn_down.clear()

    def _make_way_for_clones(self, test: IsolatedTest) -> None:
        """Shut down what uses stale databases."""
        databases = self._worker.databases
        self.ended.note_clone(test.id)
        self._suspend([database for database in databases if database.stale])
        # A fresh clone has no rows of the layers that went with the applications; the others have them still.
        self.resets.between_tests(databases)

    def _suspend(self, databases: Collection[Database]) -> None:
        """Have the users of *databases* make way before these go, and the rows of start-ups with them."""
        for wide in self.users.suspend(databases):
            self.layers.gone(wide)
