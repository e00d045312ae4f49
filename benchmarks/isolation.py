"""The cost of isolation for each test: reset and its rivals, in units of one ``select 1``.

Run ``python benchmarks/isolation.py [blocks]``. The unit is measured over the control connection, at the place in the
test where the reset stands: after the test's work on another connection. Many ``select 1`` in a row are three times as
fast, because the server's process and its caches stay warm, and no test suite works like that.
"""

from __future__ import annotations

import sys
from pathlib import Path

from figures import Block, interleaved, judged, load, machine, milliseconds, ratio, spread, table, timed
from processor import Both
from schemas import URL
from sqlalchemy import create_engine, text
from ways import BARE, SEED, Turn, processes, turns
from workshop import cache, isolated

from pytest_crucible.run import Run
from pytest_crucible.settings import Settings

# Untouched after an untouched test: the server's WAL has not moved, and only that has to be seen.
QUIET = "0, after another"
DIRTY = (QUIET, 0, 1, 3, 10)
# The expectations, by tables in the schema and dirty tables.
EXPECTED = {(40, QUIET): 4.0, (40, 0): 4.0, (200, QUIET): 7.0, (200, 0): 7.0, (40, 3): 7.0}
# The tables and dirty tables of every way.
RIVALS = ((40, 1), (40, 3), (200, 3))
NAMES = {40: "forty", 200: "two_hundred"}


class Suite:
    """Tests under reset isolation, each of which writes to so many tables.

    Args:
        tables: How many tables the schema has: 40 or 200.
        seeded: Whether the template holds rows.
        load: Another ``crucible_load``.
    """

    def __init__(self, tables: int, *, seeded: bool, load: str | None = None) -> None:
        load = f"schemas:load_{NAMES[tables]}" if seeded else load
        root = Path(__file__).parent
        self.run = Run(Settings(root=root, metadata=(f"schemas:{NAMES[tables]}",), load=load), "be9c4a11", "main")
        self.run.worker.redirect.install()
        self.run.worker.ready()
        self.control = self.run.worker.connect()
        self.processor = Both(self.control._value("SELECT pg_backend_pid()"))
        self.engine = create_engine(URL.format(driver="psycopg"))
        self.clock = timed

    def test(self, dirty: int | str, measure: str) -> float:
        """Run one test; return the time of its isolation, or of its counterpart."""
        if dirty == QUIET:
            for _ in range(2):  # the first finds the WAL moved by the reset before it
                with isolated(self.run):
                    self.work(0)
            dirty = 0
        around = isolated(self.run)
        took = self.clock(around.__enter__)
        self.work(dirty)
        if measure == "unit":
            took = self.clock(lambda: self.control._value("SELECT 1"))
        elif measure == "call":
            took = self.clock(self.control.reset)
        ending = self.clock(lambda: around.__exit__(None, None, None))
        return took + ending if measure == "isolation" else took

    def work(self, dirty: int) -> None:
        """Do the application's work: commit rows in *dirty* tables, or run a query."""
        with self.engine.begin() as connection:
            connection.execute(text("SELECT count(*) FROM t0"))
            for number in range(dirty):
                connection.execute(text(f"INSERT INTO t{number} (name) VALUES ('new')"))

    def close(self) -> None:
        self.engine.dispose()
        self.run.close()


def reset(tables: int, *, seeded: bool, blocks: int) -> None:
    """Return the table of one schema."""
    suite = Suite(tables, seeded=seeded)
    acts = {
        f"{measure} {dirty}": lambda dirty=dirty, measure=measure: suite.test(dirty, measure)
        for dirty in DIRTY
        for measure in ("unit", "call", "isolation")
    }
    by_clock = interleaved(acts, blocks=blocks, rounds=15)
    suite.clock = suite.processor.of
    by_processor = interleaved(acts, blocks=max(3, blocks // 3), rounds=15)
    rows = []
    for dirty in DIRTY:
        units = ratio(by_clock, f"isolation {dirty}", f"unit {dirty}")
        limit = EXPECTED.get((tables, dirty)) if not seeded else None
        rows.append(
            (
                dirty,
                units,
                ratio(by_clock, f"call {dirty}", f"unit {dirty}"),
                ratio(by_processor, f"isolation {dirty}", f"unit {dirty}"),
                milliseconds(by_clock, f"isolation {dirty}"),
                milliseconds(by_clock, f"unit {dirty}"),
                milliseconds(by_processor, f"isolation {dirty}"),
                judged(units.median, limit) if limit else "",
            )
        )
    seeds = "5 seed rows in each" if seeded else "empty"
    header = (
        "dirty tables",
        "units",
        "units, the call alone",
        "units of processor time",
        "ms",
        "ms, select 1",
        "ms of processor time",
        "expected",
    )
    table(f"reset, {tables} tables, {seeds}", header, rows)
    suite.close()


def rivals(tables: int, dirty: int, blocks: int) -> None:
    """Return the table of every way to isolate, around the same work."""
    with processes(NAMES[tables], dirty) as ways:
        found = turns(ways, blocks)
    rows = []
    for name in ways:
        dearer = ratio([beyond(block) for block in found], name, "reset") if name != BARE else ""
        expected = judged(dearer.median, 10, at_least=True) if name == SEED else ""
        cost = spread([beyond(block)[name][0] * 1000 for block in found])
        rows.append(
            (
                name,
                dearer,
                cost,
                spread([value * 1000 for block in found for value in block[name].isolation]),
                spread([value * 1000 for block in found for value in block[name].whole]),
                expected,
            )
        )
    header = (
        f"around {dirty} inserts, a commit, a query",
        "times the reset, in processor time",
        "ms of processor time beyond no isolation",
        "ms, set-up and reset",
        "ms, whole test",
        "expected",
    )
    table(f"every way, {tables} tables, {dirty} of them dirty", header, rows)


def beyond(block: dict[str, Turn]) -> Block:
    """Return the processor time that each way adds to a test, client and server together."""
    return {name: [turn.processor - block[BARE].processor] for name, turn in block.items()}


if __name__ == "__main__":
    machine()
    blocks = int(sys.argv[1]) if len(sys.argv) > 1 else 9
    with cache():
        for tables, dirty in RIVALS:
            rivals(tables, dirty, blocks)
        for tables in NAMES:
            for seeded in (False, True):
                reset(tables, seeded=seeded, blocks=blocks)
    load()
