"""The cost of the same state for each example of a Hypothesis test: reset, TRUNCATE, a clone; and that of a checkpoint.

Run ``python benchmarks/examples.py [blocks]``: the same test with ``@given`` inserts a row into each of three tables in
a chain of forty, commits, and reads one back. What Hypothesis itself needs for an example is part of each figure.
"""

from __future__ import annotations

import sys
import time
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial

import processor
import schemas
from figures import interleaved, judged, load, machine, milliseconds, number, ratio, spread, table, timed
from hypothesis import given, settings
from hypothesis import strategies as st
from isolation import Suite
from psycopg import sql
from schemas import URL
from sqlalchemy import create_engine, text
from workshop import cache, isolated

from pytest_crucible.fixtures.with_hypothesis import from_same_state
from pytest_crucible.server import Address

TABLES, DIRTY = 40, 3
AIM = 10
PARTS = ("begin", "round", "end", "end of the test")
BARE, RESET = "no isolation", "reset"
Inner = Callable[[int], None]
TRUNCATE = "TRUNCATE {} RESTART IDENTITY CASCADE".format(", ".join(f"t{number}" for number in range(TABLES)))


class Examples:
    """One test, and the ways to run its examples."""

    def __init__(self) -> None:
        self.suite = Suite(TABLES, seeded=False)
        self.worker = self.suite.run.worker
        self.admin = self.worker.server.connect()
        self.suite.work(0)  # makes the role
        # The worker drops what is named after its database at the end of the run.
        self.plain, self.twin = f"{self.worker.main.name}_plain", f"{self.worker.main.name}_twin"
        self.admin.create(self.plain, owner="app", template="template0", clauses=sql.SQL("ENCODING 'UTF8'"))
        with self._leading(self.plain) as engine:
            schemas.forty.create_all(engine)
        self.engine = self.suite.engine
        self.postmaster = processor.parent(self.suite.processor.backend)
        self.clock = time.perf_counter

    def body(self, number: int) -> None:
        """Do the work of an example."""
        name = uuid.uuid4().hex
        with self.engine.begin() as connection:
            for dirty in range(DIRTY):
                connection.execute(text(f"INSERT INTO t{dirty} (name) VALUES (:name)"), {"name": name})
        with self.engine.connect() as connection:
            assert connection.scalar(text("SELECT max(id) FROM t0")) >= 1
            assert number >= 0

    def per_example(self, examples: int, exchange: Callable[[Inner], Inner] = lambda inner: inner) -> float:
        """Return the time of one of so many examples."""

        @settings(max_examples=examples, database=None, deadline=None, derandomize=True)
        @given(number=st.integers(0, 1_000_000))
        def test(number: int) -> None:
            self.body(number)

        test.hypothesis.inner_test = exchange(test.hypothesis.inner_test)
        began = self.clock()
        test()
        return (self.clock() - began) / examples

    def processor_time(self) -> float:
        """Return the processor time of this process and of the server so far, in seconds."""
        return time.process_time() + processor.of_server(self.postmaster)

    def reset(self) -> float:
        with isolated(self.suite.run) as test:
            checkpoint = test.checkpoint().__enter__()
            return self.per_example(50, lambda inner: from_same_state(inner, checkpoint, lambda: None))

    def truncate(self) -> float:
        with self._leading(self.plain):

            def exchange(inner: Inner) -> Inner:
                def truncated(number: int) -> None:
                    with self.engine.begin() as connection:
                        connection.execute(text(TRUNCATE))
                    inner(number)

                return truncated

            return self.per_example(20, exchange)

    def clone(self) -> float:
        with self._leading(self.twin):

            def exchange(inner: Inner) -> Inner:
                def cloned(number: int) -> None:
                    self.engine.dispose()
                    self.admin.drop(self.twin)
                    self.admin.create(
                        self.twin, owner="app", template=self.plain, clauses=sql.SQL("STRATEGY FILE_COPY")
                    )
                    self.admin.copy_rights(self.plain, self.twin)
                    inner(number)

                return cloned

            return self.per_example(10, exchange)

    def nothing(self) -> float:
        with isolated(self.suite.run):
            return self.per_example(50)

    @contextmanager
    def _leading(self, database: str) -> Iterator[object]:
        address: Address = self.admin.address.to(database, user="app")
        with self.worker.redirect.lead_to(address):
            self.engine = create_engine(URL.format(driver="psycopg"))
            yield self.engine
            self.engine.dispose()
        self.engine = self.suite.engine


class Block:
    """A test with a checkpoint, of which one part is measured.

    Args:
        suite: The tests.
        rows: How many rows it commits before the block, to each of the dirty tables.
    """

    def __init__(self, suite: Suite, rows: int) -> None:
        self.suite = suite
        self.rows = rows

    def part(self, measured: str) -> float:
        """Run the test; return the time of this part."""
        around = isolated(self.suite.run)
        test = around.__enter__()
        self._write(self.rows)
        checkpoint = test.checkpoint()
        took = {"begin": self.suite.clock(checkpoint.__enter__)}
        self._write(1)
        took["round"] = self.suite.clock(checkpoint.reset)
        self._write(1)
        took["end"] = self.suite.clock(lambda: checkpoint.__exit__(None, None, None))
        took["end of the test"] = self.suite.clock(lambda: around.__exit__(None, None, None))
        return took[measured]

    def _write(self, rows: int) -> None:
        fill = "INSERT INTO t{} (name) SELECT gen_random_uuid()::text FROM generate_series(1, {})"
        with self.suite.engine.begin() as connection:
            for dirty in range(DIRTY):
                connection.execute(text(fill.format(dirty, rows)))


def blocks_of(suite: Suite, blocks: int) -> None:
    """Print what the parts of a block cost."""
    rows = []
    for committed in (0, 1, 10, 100):
        test = Block(suite, committed)
        acts = {part: partial(test.part, part) for part in PARTS}
        suite.clock = timed
        by_clock = interleaved(acts, blocks=blocks, rounds=10)
        suite.clock = suite.processor.of
        by_processor = interleaved(acts, blocks=max(2, blocks // 2), rounds=10)
        for part in PARTS:
            cells = milliseconds(by_clock, part), milliseconds(by_processor, part), ratio(by_clock, part, "round")
            rows.append((DIRTY * committed, part, *cells))
    header = ("rows committed before", f"part, {TABLES} tables, {DIRTY} dirty", "ms", "ms of processor time", "rounds")
    table("checkpoints", header, rows)


def main(blocks: int) -> None:
    """Measure and print."""
    examples = Examples()
    acts = {
        BARE: examples.nothing,
        RESET: examples.reset,
        "TRUNCATE of every table": examples.truncate,
        "clone": examples.clone,
    }
    found = interleaved(acts, blocks=blocks, rounds=2)
    examples.clock = examples.processor_time
    used = interleaved(acts, blocks=blocks, rounds=2)
    rows = []
    for name in acts:
        dearer = ratio(found, name, RESET)
        per_second = spread([1 / seconds for block in found for seconds in block[name]])
        aim = judged(dearer.median, AIM, at_least=True) if name.startswith("TRUNCATE") else ""
        rows.append(
            (
                name,
                milliseconds(found, name),
                number(per_second.median),
                milliseconds(used, name),
                dearer,
                aim,
            )
        )
    header = (
        f"@given, {TABLES} tables, {DIRTY} dirty",
        "ms an example",
        "examples a second",
        "ms of processor time",
        "times reset",
        "aim",
    )
    table("examples of Hypothesis", header, rows)
    blocks_of(examples.suite, blocks)
    examples.suite.close()


if __name__ == "__main__":
    with cache():
        machine()
        main(int(sys.argv[1]) if sys.argv[1:] else 7)
        load()
