"""The resets of the worker databases: at the end of each test, and between tests."""

from __future__ import annotations

import math
from collections.abc import Callable, Hashable, Iterable, Mapping
from contextlib import ExitStack
from dataclasses import dataclass, field
from typing import Any

from ..report import Figures
from ..settings import Settings
from ..worker.database import Database
from ..worker.worker import Worker
from .database_reset import DatabaseReset
from .leaks import Circumstances, Leak


@dataclass
class IsolatedTest:
    """The test that is isolated: how, and what is found at its end.

    Attributes:
        id: pytest's node id.
        isolation: ``reset``, ``rollback`` or ``clone``.
        keep: Whether to keep the database if the test fails; a test may set it.
        failed: Whether it has failed.
        began: The time at which it began, by the server's clock.
        kept: The names of its databases that were kept.
        leaks: What it left open.
        names: The names of its module and its class, which outlive it: leaked sessions are looked for there.
    """

    __test__ = False

    id: str
    isolation: str
    keep: bool
    failed: bool = field(default=False, kw_only=True)
    began: float = field(default=0.0, kw_only=True)
    kept: list[str] = field(default_factory=list, kw_only=True)
    leaks: list[Leak] = field(default_factory=list, kw_only=True)
    names: Mapping[str, Mapping[str, Any]] = field(default_factory=dict, kw_only=True)

    def is_kept(self) -> bool:
        """Return whether its database is kept at its end."""
        return self.failed and self.keep


class Resets:
    """The resets of one process's worker databases.

    Attributes:
        fixtures: The name and the value of each wide fixture that is up.
    """

    def __init__(self, settings: Settings, worker: Worker, figures: Figures) -> None:
        self.fixtures: dict[Hashable, tuple[str, Any]] = {}
        self._settings = settings
        self._worker = worker
        self._figures = figures

    def after_test(self, databases: Iterable[Database], test: IsolatedTest) -> list[Leak]:
        """Reset each of *databases* after *test*, whatever happens to one of them; return the leaks."""
        return self._reset(databases, self._circumstances(test), test.id)

    def between_tests(self, databases: Iterable[Database]) -> None:
        """Reset *databases* while no test runs, but not those whose next user gets a fresh clone."""
        self._worker.note_open()
        self._reset([database for database in databases if not database.stale], self._circumstances(None), "")

    def end_leaks(self, test: IsolatedTest) -> list[Leak]:
        """Have the transactions give way that *test* left open in databases that are about to go."""
        return self._for_each(self._worker.databases, DatabaseReset.end_leaks, self._circumstances(test))

    def _reset(self, databases: Iterable[Database], now: Circumstances, test: str) -> list[Leak]:
        leaks = self._for_each(databases, DatabaseReset.reset, now)
        for reason in self._worker.clones():
            self._figures.add_clone(reason, test)
        return leaks

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
