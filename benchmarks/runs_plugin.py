"""The plugin that `runs.py` loads into each run: a clock for each test, and processor time for each kind of tests.

It writes a file of its own for each worker of pytest-xdist into the folder ``RUNS_NOTES``.
"""

from __future__ import annotations

import json
import os
import time
from collections.abc import Iterator
from pathlib import Path

import processor
import pytest


class Clock:
    """The clock of one process that runs tests."""

    def __init__(self) -> None:
        self.postmaster = int(os.environ["RUNS_POSTMASTER"])
        self.has_begun = False
        self.tests: list[tuple[str, float]] = []
        self.borders: list[tuple[str, float, float, float]] = []

    @pytest.hookimpl(wrapper=True, tryfirst=True)
    def pytest_runtest_protocol(self, item: pytest.Item) -> Iterator[None]:
        """Note the start of each test but the first, which makes the database."""
        if self.has_begun:
            self.note(f"{item.originalname} {item.callspec.params['dirty']}")
        self.has_begun = True
        return (yield)

    def note(self, kind: str) -> None:
        """Note that a test of this kind begins, or, where *kind* is empty, that the last one has ended."""
        if not self.borders or kind != self.borders[-1][0]:
            server = processor.of_server(self.postmaster)
            self.borders.append((kind, time.perf_counter(), time.process_time(), server))
        self.tests.append((kind, time.perf_counter()))

    @pytest.hookimpl(tryfirst=True)
    def pytest_sessionfinish(self) -> None:
        """Write the notes."""
        self.note("")
        path = Path(os.environ["RUNS_NOTES"], os.environ.get("PYTEST_XDIST_WORKER", "main"))
        path.write_text(json.dumps({"tests": self.tests, "borders": self.borders}))


def pytest_configure(config: pytest.Config) -> None:
    """Start the clock in every process that runs tests."""
    if os.environ.get("PYTEST_XDIST_WORKER") or not config.getoption("numprocesses", None):
        config.pluginmanager.register(Clock())
