"""The cost of a test's isolation by the number of tables in the schema, and by the number of sequences.

Run ``python benchmarks/scale_size.py [blocks [largest]]``. Each test writes to three tables, or only reads; suites of
all
sizes take turns.
"""

from __future__ import annotations

import sys
from pathlib import Path

from figures import interleaved, judged, load, machine, milliseconds, ratio, table
from isolation import Suite
from processor import Both
from schemas import URL
from sqlalchemy import create_engine
from workshop import cache

from pytest_crucible.run import Run
from pytest_crucible.settings import Settings

TABLES = (10, 100, 300, 1000)
SEQUENCES = (0, 100, 500, 2000)
DIRTY = (0, 3)
# Times the smallest schema, in processor time of client and server: ten thousand times the tables may not show.
LIMIT = 2.0
ROUNDS = 15


class Sized(Suite):
    """A suite on a schema of so many tables and further sequences."""

    def __init__(self, tables: int, sequences: int) -> None:
        root = Path(__file__).parent
        load = f"scale_schemas:load_sequences_{sequences}" if sequences else None
        settings = Settings(root=root, metadata=(f"scale_schemas:tables_{tables}",), load=load)
        self.run = Run(settings, f"5ca1e{tables + sequences:05d}", "main")
        self.run.worker.redirect.install()
        self.run.worker.ready()
        self.control = self.run.worker.connect()
        self.engine = create_engine(URL.format(driver="psycopg"))
        self.processor = Both(self.control.pid)
        self.clock = self.processor.of


def measure(title: str, what: str, sizes: dict[int, tuple[int, int]], blocks: int) -> None:
    """Print the table of one curve; *sizes*: the tables and the sequences of each."""
    rows = []
    for dirty in DIRTY:
        found = {}
        for size, (tables, sequences) in sizes.items():
            suite = Sized(tables, sequences)
            acts = {
                f"{size}": lambda: suite.test(dirty, "isolation"),  # noqa: B023 - used within this turn of the loop
                "unit": lambda: suite.test(dirty, "unit"),  # noqa: B023
            }
            found[size] = interleaved(acts, blocks=blocks, rounds=ROUNDS)
            suite.close()
        first = next(iter(sizes))
        for size in sizes:
            units = ratio(found[size], f"{size}", "unit")
            times = units.median / ratio(found[first], f"{first}", "unit").median
            expected = judged(times, LIMIT) if size == max(sizes) else ""
            rows.append((f"{size:,}", dirty, milliseconds(found[size], f"{size}"), units, f"{times:.2f}", expected))
    header = (what, "dirty tables", "ms of processor time", "units of processor time", "times the smallest", "expected")
    table(title, header, rows)


def main(blocks: int, largest: int) -> None:
    """Print the tables."""
    measure(
        "a test's isolation by the number of tables",
        "tables",
        {tables: (tables, 0) for tables in TABLES if tables <= largest},
        blocks,
    )
    measure(
        "a test's isolation by the number of sequences",
        "sequences",
        {sequences + 10: (10, sequences) for sequences in SEQUENCES if sequences <= largest * 2},
        blocks,
    )


if __name__ == "__main__":
    machine()
    arguments = [int(each) for each in sys.argv[1:]]
    with cache():
        main(*arguments, *(5, 1000)[len(arguments) :])
    load()
