"""A comparison of the cost of the five thousandth test with that of the fiftieth.

Run ``python benchmarks/growth.py [tests]``. Dead rows, marks and row versions in the catalog pile up while autovacuum
is off. Windows of a hundred tests are compared in processor time of client and server (see `processor`), since the
machine may be busier at one time than at another: a ratio to a ``select 1`` does not help where each waits for a core.
"""

from __future__ import annotations

import statistics
import sys
from itertools import chain

from figures import judged, load, machine, spread, table
from isolation import Suite
from sqlalchemy import text
from workshop import cache

TESTS = 5000
WINDOW = 100
LIMIT = 1.5


class Cached(Suite):
    """A suite whose every test uses a sequence with cached values: its reset writes to the catalog."""

    def work(self, dirty: int) -> None:
        super().work(dirty)
        with self.engine.begin() as connection:
            connection.execute(text("SELECT nextval('cached_numbers')"))


class Layered(Suite):
    """A suite whose every tenth test is the first of a module, with a fixture that commits rows."""

    def module(self) -> None:
        self.run.end_fixture("module")
        with self.run.isolation.layers.coming_up("module", "catalogue"), self.engine.begin() as connection:
            connection.execute(text("INSERT INTO t0 (name) SELECT 'row ' || n FROM generate_series(1, 20) n"))


def grow(suite: Suite, tests: int) -> list[list[float]]:
    """Return the cost of every test in milliseconds, by windows."""
    suite.clock = suite.processor.of
    windows = []
    for first in range(0, tests, WINDOW):
        windows.append([])
        for number in range(first, first + WINDOW):
            if isinstance(suite, Layered) and number % 10 == 0:
                suite.module()
            windows[-1].append(suite.test(3, "isolation") * 1000)
    return windows


def row(name: str, windows: list[list[float]]) -> tuple[object, ...]:
    """Return the first window, one in the middle and the last: medians, and means because of rare expensive tests."""
    # Three at the beginning with three at the end: a single window may have been unlucky.
    early, late = [*chain.from_iterable(windows[:3])], [*chain.from_iterable(windows[-3:])]
    growth = statistics.median(late) / statistics.median(early)
    shown = (spread(windows[0]), spread(windows[len(windows) // 2]), spread(windows[-1]))
    means = f"{statistics.mean(early):.2f} and {statistics.mean(late):.2f}"
    return (name, *shown, means, f"{growth:.2f}", judged(growth, LIMIT))


def main(tests: int) -> None:
    """Print the table."""
    rows = []
    for name, kind, seeded in (
        ("three dirty tables", Suite, False),
        ("the same, five seed rows in each", Suite, True),
        ("and a cached sequence", Cached, False),
        ("and a module's rows, ten tests a module", Layered, True),
    ):
        suite = kind(40, seeded=seeded, load="schemas:load_sequence" if kind is Cached else None)
        rows.append(row(name, grow(suite, tests)))
        suite.close()
    header = ("ms of processor time", "test 50", f"test {tests // 2}", f"test {tests}", "means", "growth", "expected")
    table(f"cost of a test's isolation over {tests} tests", header, rows)


if __name__ == "__main__":
    machine()
    with cache():
        main(int(sys.argv[1]) if len(sys.argv) > 1 else TESTS)
    load()
