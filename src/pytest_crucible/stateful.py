"""State machines of Hypothesis whose runs start from the same state of the database."""

from __future__ import annotations

from functools import cached_property
from typing import Any

from hypothesis.stateful import RuleBasedStateMachine
from sqlalchemy.orm import Session

from .app import application
from .errors import UsageError
from .isolation.checkpoints import Rounds
from .run import CurrentTest, Run, current_test


class DatabaseStateMachine(RuleBasedStateMachine):
    """A `RuleBasedStateMachine`, each run of which starts from the state in which its test found the database.

    >>> class Shop(DatabaseStateMachine):
    ...     @rule(name=text())
    ...     def order(self, name):
    ...         assert self.client.post("/items", json={"name": name}).status_code == 201
    ...
    >>> TestShop = Shop.TestCase

    Rules are synchronous: Hypothesis runs no coroutines as rules.

    Attributes:
        client: Starlette's ``TestClient`` of the application, which is started once for all runs.
        session: A ``Session`` on the worker database.
    """

    client: Any
    session: Session

    def __init__(self) -> None:
        super().__init__()
        run, test = current_test()
        runs = test.kept.get(type(self))
        if runs is None:
            runs = test.kept[type(self)] = MachineRuns(run, test)
        runs.start()
        self.session = runs.session
        if run.settings.app is not None:
            self.client = runs.client


class MachineRuns:
    """The runs of one state machine in one test."""

    def __init__(self, run: Run, test: CurrentTest) -> None:
        self._run = run
        self._test = test
        self.session = test.ending.enter_context(run.sessions.sync_session(test.handle))
        if run.settings.app is not None:
            self.client  # noqa: B018 # now: what its start-up writes is there in each run
        self._rounds = Rounds(test.handle.checkpoint().__enter__(), run.factories.rewinder())

    @cached_property
    def client(self) -> Any:
        """The client of the application, whose lifespan runs until the end of the test."""
        try:
            from starlette.testclient import TestClient
        except ImportError as error:
            raise UsageError(
                "DatabaseStateMachine needs Starlette's TestClient, which is not installed.",
                do="Install it: pip install starlette httpx",
            ) from error
        return self._test.ending.enter_context(TestClient(application(self._run.settings)))

    def start(self) -> None:
        """Reset the database, unless nothing has run since."""
        self._rounds.begin()
        self._rounds.report()
