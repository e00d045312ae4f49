"""The cost of a reset by the size of the written table, and of a write to a table with many rows.

Run ``python benchmarks/large.py [blocks]``. Each test changes three rows of one table; of the empty table, it inserts
three. The reset is measured, or one written row: both in turns with the tables that they are compared with.
"""

from __future__ import annotations

import statistics
import sys
from collections.abc import Callable

import psycopg
from figures import Block, interleaved, judged, load, machine, milliseconds, ratio, spread, table, timed
from isolation import Suite
from processor import Both
from sqlalchemy import text
from workshop import cache, isolated

# The tables of `schemas.load_large`, by their number of rows.
SIZES = {"t0": 0, "t1": 2_000, "t2": 20_000, "t3": 200_000, "t4": 1_000_000}
LIMIT = 2
DEARER = 60
LOGGED, PLAIN = "t5", "t2"
INSERT = "INSERT INTO {} (name) SELECT 'new ' || i FROM generate_series(1, 3) i"
WRITE = "UPDATE {} SET parent_id = NULL WHERE id = 77"


class Large(Suite):
    """A suite whose tests change three rows of one table."""

    def test(self, dirty: int | str, measure: str) -> float:
        """Run one test that writes to the table *dirty*; return the time of its reset."""
        around = isolated(self.run)
        around.__enter__()
        self.work(dirty)
        return self.clock(lambda: around.__exit__(None, None, None))

    def work(self, dirty: int | str) -> None:
        """Change three rows of *dirty*, far from each other, or insert three if it has none."""
        rows = SIZES[str(dirty)]
        change = f"UPDATE {dirty} SET name = name || 'x' WHERE id IN (5, {rows // 2}, {rows - 5})"
        with self.engine.begin() as connection:
            connection.execute(text(change if rows else INSERT.format(dirty)))


def by_size(suite: Large, blocks: int) -> None:
    """Print the cost of a reset by the size of the table."""
    acts = {name: lambda name=name: suite.test(name, "reset") for name in SIZES}
    by_clock = interleaved(acts, blocks=blocks, rounds=15)
    suite.clock = suite.processor.of
    by_processor = interleaved(acts, blocks=blocks, rounds=15)
    rows = []
    for name, size in SIZES.items():
        times = ratio(by_processor, name, "t0")
        expected = judged(times.median, LIMIT) if size >= 200_000 else ""
        shown = (milliseconds(by_clock, name), milliseconds(by_processor, name))
        rows.append((f"{size:,}", *shown, ratio(by_clock, name, "t0"), times, expected))
    header = ("rows", "ms", "ms of processor time", "times the empty table", "in processor time", "expected")
    table("a reset of three changed rows", header, rows)


def layers(suite: Large, blocks: int) -> None:
    """Print the cost of three rows of a wide fixture: to record them, to remove them, and of the reset then."""
    steps = ("recorded", "removed", "reset")
    rows = []
    for name in ("t0", "t3"):
        found: list[Block] = []
        for _ in range(blocks):
            found.append({step: [] for step in steps})
            for _ in range(15):
                with suite.engine.begin() as connection:
                    connection.execute(text(INSERT.format(name)))
                acts = (lambda: suite.control.capture(7), lambda: suite.control.take_off(7), suite.control.reset)
                for step, act in zip(steps, acts, strict=True):
                    found[-1][step].append(suite.clock(act))
        rows.append((f"{SIZES[name]:,}", *(milliseconds(found, step) for step in steps)))
    table("three rows of a wide fixture, ms of processor time", ("rows", *steps), rows)


def written(suite: Large, blocks: int) -> None:
    """Print the cost of a write to a table with many rows, with all triggers and with those that mark it only."""
    for event in ("insert", "update", "delete"):
        suite.control._connection.execute(f"DROP TRIGGER pg_crucible_{event} ON {PLAIN}")
    with psycopg.connect(**suite.run.worker.address().libpq(), autocommit=True) as connection:

        def act(table: str, clock: Callable[..., float]) -> Callable[[], float]:
            return lambda: clock(lambda: connection.execute(WRITE.format(table), prepare=True))

        by_clock, by_processor = (
            interleaved({"logged": act(LOGGED, clock), "plain": act(PLAIN, clock)}, blocks=blocks, rounds=150)
            for clock in (timed, Both(connection.info.backend_pid).of)
        )
    found = dearer(by_clock)
    row = ("update of one row", milliseconds(by_clock, "plain"), ratio(by_clock, "logged", "plain"), found)
    header = ("20,000 rows", "ms without", "times with", "µs dearer", "µs of processor time", "expected")
    last = (dearer(by_processor), judged(found.median, DEARER))
    table("a write, with and without the triggers that log keys", header, [(*row, *last)])


def dearer(blocks: list[Block]) -> object:
    """Return the microseconds by which a logged write is dearer."""
    return spread([(statistics.median(b["logged"]) - statistics.median(b["plain"])) * 1e6 for b in blocks])


def main(blocks: int) -> None:
    """Print the tables."""
    suite = Large(40, seeded=False, load="schemas:load_large")
    by_size(suite, blocks)
    layers(suite, blocks)
    written(suite, blocks)
    suite.close()


if __name__ == "__main__":
    machine()
    with cache():
        main(int(sys.argv[1]) if len(sys.argv) > 1 else 9)
    load()
