"""The cost of fresh clones: made when they are needed, or ready before.

Run ``python benchmarks/clones.py [blocks]``. Both sides take turns in one process: what Crucible believes to be the
last test of a run has no successor made.
"""

from __future__ import annotations

import sys
import time
from pathlib import Path

from figures import interleaved, judged, load, machine, milliseconds, ratio, spread, table, timed
from processor import of_server, parent
from schemas import URL
from sqlalchemy import create_engine, text
from workshop import cache, isolated

from pytest_crucible.control import Control
from pytest_crucible.run import Run
from pytest_crucible.settings import Settings
from pytest_crucible.worker import database

NAMES = {40: "forty", 200: "two_hundred"}
# How long a test waits for something else than a database and a processor, in milliseconds.
PAUSES = (0, 20)
# Tests in one turn of a suite: the processor time of backends that have ended is known to a hundredth of a second.
TESTS = 12
NEEDED, AHEAD = "when needed", "ahead"


class Connecting(Control):
    """The control connection to a fresh clone, which says how long it took to connect."""

    seconds = 0.0

    def __init__(self, *arguments: object) -> None:
        Connecting.seconds += timed(lambda: super(Connecting, self).__init__(*arguments))


class Suite:
    """Tests in clone isolation on a schema with so many *tables*."""

    def __init__(self, tables: int) -> None:
        settings = Settings(root=Path(__file__).parent, metadata=(f"schemas:{NAMES[tables]}",))
        self.run = Run(settings, "be9c4a11", "main")
        self.run.worker.redirect.install()
        self.run.worker.ready()
        self.database = self.run.worker.main
        self.postmaster = parent(self.run.worker.connect().pid)
        self.engine = create_engine(URL.format(driver="psycopg"))
        self.processor: dict[str, list[float]] = {}
        self.connecting: dict[str, list[float]] = {NEEDED: [], AHEAD: []}
        self.beyond: dict[str, list[float]] = {NEEDED: [], AHEAD: []}

    def work(self) -> None:
        """Do the application's work, which begins with a new connection after each fresh clone."""
        with self.engine.connect() as connection:
            connection.execute(text("SELECT count(*) FROM t0"))

    def usable(self, side: str) -> float:
        """Return the time from the decision on a fresh clone until the application has worked on it.

        What its connections take of that is noted apart: the control connection, and the application's.
        """
        self.work()
        if side == AHEAD:
            self.database.prepare_successor()
            self.database._successor.wait()
        self.database.discard()
        Connecting.seconds = 0.0
        took = timed(self.database.connect)
        working = timed(self.work)
        self.connecting[side].append(Connecting.seconds + working)
        self.beyond[side].append(took - Connecting.seconds)
        return took + working

    def suite(self, side: str, pause: int) -> float:
        """Run tests in a row; return the time of each."""
        self.run.isolation.is_last = side == NEEDED
        self._test(0)
        used = self._processor()
        took = timed(lambda: [self._test(pause) for _ in range(TESTS)]) / TESTS
        self.run.isolation.is_last = True
        self._test(0)  # takes the last successor away
        self.processor.setdefault(f"{side} {pause}", []).append((self._processor() - used) / (TESTS + 1))
        return took

    def _test(self, pause: int) -> None:
        with isolated(self.run, "clone"):
            self.work()
            time.sleep(pause / 1000)

    def _processor(self) -> float:
        return time.process_time() + of_server(self.postmaster)

    def close(self) -> None:
        self.engine.dispose()
        self.run.close()


def usable(suite: Suite, tables: int, blocks: int) -> None:
    """Print the table of what passes until a database is usable."""
    acts = {side: lambda side=side: suite.usable(side) for side in (NEEDED, AHEAD)}
    found = interleaved(acts, blocks=blocks, rounds=10)
    rows = []
    for side in (NEEDED, AHEAD):
        connecting, beyond = (
            spread([took * 1000 for took in times[side]]) for times in (suite.connecting, suite.beyond)
        )
        expected = judged(beyond.median, 5) if side == AHEAD else ""
        rows.append((side, milliseconds(found, side), connecting, beyond, expected))
    header = ("the fresh clone is made", "ms", "ms, two connections", "ms beyond", "expected")
    table(f"from the decision to a usable database, {tables} tables", header, rows)


def suites(suite: Suite, tables: int, blocks: int) -> None:
    """Print the table of suites in clone isolation."""
    acts = {
        f"{side} {pause}": lambda side=side, pause=pause: suite.suite(side, pause)
        for pause in PAUSES
        for side in (NEEDED, AHEAD)
    }
    found = interleaved(acts, blocks=blocks, rounds=2)
    rows = []
    for pause in PAUSES:
        times = ratio(found, f"{AHEAD} {pause}", f"{NEEDED} {pause}")
        rows.append(
            (
                pause,
                *(milliseconds(found, f"{side} {pause}") for side in (NEEDED, AHEAD)),
                times,
                *(spread([used * 1000 for used in suite.processor[f"{side} {pause}"]]) for side in (NEEDED, AHEAD)),
                judged(times.median, 0.5),
            )
        )
    header = (
        "ms that the test waits",
        "ms, when needed",
        "ms, ahead",
        "times",
        "ms of processor time, when needed",
        "ms of processor time, ahead",
        "expected",
    )
    table(f"a test of a suite in clone isolation, {tables} tables", header, rows)


if __name__ == "__main__":
    machine()
    database.Control = Connecting
    blocks = int(sys.argv[1]) if len(sys.argv) > 1 else 7
    with cache():
        for tables in NAMES:
            suite = Suite(tables)
            usable(suite, tables, blocks)
            suites(suite, tables, blocks)
            suite.close()
    load()
