"""The plugin that `suite.py` loads into the example's suite: tests that tolerate each other's rows, and a clock.

The variables ``SUITE_NOTES`` (where to write the figures) and ``SUITE_ISOLATION`` (``on`` or ``off``) say what to do.
"""

from __future__ import annotations

import json
import os
import time
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import processor
import pytest

from pytest_crucible.fixtures import RUN
from pytest_crucible.isolation import database_reset
from pytest_crucible.run import Run, Test

# Rows and DDL are not marked any more; as a superuser's session, on the control connection.
DISABLE = """
DO $$ DECLARE t record; BEGIN
    FOR t IN SELECT tgrelid::regclass AS name, tgname FROM pg_trigger
              WHERE tgname LIKE 'pg\\_crucible\\_%' AND tgparentid = 0 LOOP
        EXECUTE format('ALTER TABLE %s DISABLE TRIGGER %I', t.name, t.tgname);
    END LOOP;
    ALTER EVENT TRIGGER pg_crucible_ddl DISABLE;
    ALTER EVENT TRIGGER pg_crucible_drop DISABLE;
END $$
"""


class Clock:
    """Return the time of all tests without the first that used the database: it started the server."""

    def __init__(self, run: Run) -> None:
        self.run = run
        self.tests = 0
        self.failed: list[str] = []
        self.cloned: list[str] = []
        self.began: tuple[float, ...] | None = None
        self.ended: tuple[float, ...] = ()

    def now(self) -> tuple[float, ...]:
        server = processor.of_server(self.postmaster)
        return time.perf_counter(), time.process_time(), server

    @pytest.hookimpl(wrapper=True, tryfirst=True)
    def pytest_runtest_protocol(self, item: pytest.Item) -> Iterator[None]:
        generation = self.run.worker.main.generation
        done = yield
        if self.began is not None and (self.run.worker.stale or self.run.worker.main.generation > generation + 1):
            self.cloned.append(item.nodeid)
        if self.run.worker.started and self.began is None:
            self.postmaster = processor.parent(self.run.worker.connect()._value("SELECT pg_backend_pid()"))
            self.began = self.now()
        elif self.began is not None:
            self.tests += 1
            self.ended = self.now()
        return done

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        if report.failed:
            self.failed.append(report.nodeid)

    def pytest_sessionfinish(self) -> None:
        clock, client, server = (end - begin for begin, end in zip(self.began, self.ended, strict=True))
        figures = {
            "clock": clock,
            "processor": client + server,
            "tests": self.tests,
            "failed": self.failed,
            "cloned": self.cloned,
        }
        Path(os.environ["SUITE_NOTES"]).write_text(json.dumps(figures))


@contextmanager
def not_isolated(run: Run, test: Test) -> Iterator[Test]:
    """Replace `Run.isolated`: note nothing, reset nothing."""
    if not run.worker.started:
        run.worker.ready()
        run.worker.connect()._connection.execute(DISABLE)
    yield test


@pytest.hookimpl(trylast=True)
def pytest_configure(config: pytest.Config) -> None:
    """Switch isolation off if requested, and start the clock."""
    if os.environ["SUITE_ISOLATION"] == "off":
        Run.isolated = not_isolated
        database_reset.DatabaseReset.send = lambda self: None
        database_reset.DatabaseReset.finish = lambda self: []
    config.pluginmanager.register(Clock(config.stash[RUN]))


@pytest.fixture(autouse=True, scope="session")
def crowd() -> None:
    """Give each new user another name than in the test before."""
    from tests.fixtures import people

    join = people.join

    async def join_as_another(session, name: str):
        return await join(session, f"{name}-{uuid.uuid4().hex}")

    people.join = join_as_another
