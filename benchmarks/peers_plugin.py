"""The plugin that `peers.py` loads into each run: the seconds of each test.

The time of a test reaches from its start to that of the next one, so that it holds what a way leaves for later. The
first test of a process is left out: it makes the database. Each process that runs tests writes a file of its own into
the folder ``PEERS_NOTES``.
"""

from __future__ import annotations

import json
import os
import time
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path

import pytest


class Clock:
    """The clock of one process that runs tests."""

    def __init__(self) -> None:
        self.starts: list[float] = []
        self.names: list[str] = []
        self.failed: list[str] = []

    @pytest.hookimpl(wrapper=True, tryfirst=True)
    def pytest_runtest_protocol(self, item: pytest.Item) -> Iterator[None]:
        """Note the start of each test."""
        self.names.append(item.nodeid)
        self.starts.append(time.perf_counter())
        return (yield)

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        """Note each test that fails."""
        if report.failed:
            self.failed.append(report.nodeid)

    @pytest.hookimpl(tryfirst=True)
    def pytest_sessionfinish(self) -> None:
        """Write the notes."""
        self.starts.append(time.perf_counter())
        seconds = [end - begin for begin, end in pairwise(self.starts)]
        path = Path(os.environ["PEERS_NOTES"], f"tests-{os.environ.get('PYTEST_XDIST_WORKER', 'main')}")
        path.write_text(json.dumps({"tests": self.names, "failed": self.failed, "seconds": seconds[1:]}))


def pytest_configure(config: pytest.Config) -> None:
    """Start the clock in every process that runs tests."""
    if os.environ.get("PYTEST_XDIST_WORKER") or not config.getoption("numprocesses", None):
        config.pluginmanager.register(Clock())
