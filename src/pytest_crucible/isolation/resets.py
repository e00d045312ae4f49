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
        self._sent: list[DatabaseReset] = []

    def send(self, databases: Iterable[Database], test: IsolatedTest) -> None:
        """Begin to reset *databases* after *test*, all at once."""
        self._sent = self._send(databases, self._circumstances(test))

    def finish(self, test: IsolatedTest) -> list[Leak]:
        """Wait for the resets that were sent after *test*, whatever happens to one of them; return the leaks."""
        leaks = self._finish(self._sent, test.id)
        self._sent = []
        return leaks

    def open_in(self, databases: Iterable[Database], test: IsolatedTest) -> list[Leak]:
        """Return the transactions that *test* has open in *databases*, and that have written, or lock."""
        now = self._circumstances(test)
        return _each(DatabaseReset(one, self._worker.redirect, now).leaks_now for one in databases)

    def between_tests(self, databases: Iterable[Database]) -> None:
        """Reset *databases* while no test runs, but not those whose next user gets a fresh clone."""
        self._worker.note_open()
        databases = [database for database in databases if not database.stale]
        self._finish(self._send(databases, self._circumstances(None)), "")

    def end_leaks(self, test: IsolatedTest) -> list[Leak]:
        """Have the transactions give way that *test* left open in databases that are about to go."""
        now = self._circumstances(test)
        return _each(DatabaseReset(one, self._worker.redirect, now).end_leaks for one in self._worker.databases)

    def _send(self, databases: Iterable[Database], now: Circumstances) -> list[DatabaseReset]:
        resets = [DatabaseReset(database, self._worker.redirect, now) for database in databases]
        for reset in resets:
            reset.send()
        return resets

    def _finish(self, sent: Iterable[DatabaseReset], test: str) -> list[Leak]:
        leaks = _each(reset.finish for reset in sent)
        for reason in self._worker.clones():
            self._figures.add_clone(reason, test)
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


def _each(acts: Iterable[Callable[[], list[Leak]]]) -> list[Leak]:
    """Return what all of *acts* return; all are called, also where one raises an error."""
    leaks: list[Leak] = []

    def call(act: Callable[[], list[Leak]]) -> None:
        leaks.extend(act())

    with ExitStack() as each:  # it calls the last one first
        for act in reversed([*acts]):
            each.callback(call, act)
    return leaks
