"""The cost of open read-only transactions for the reset: wide sessions that have read ten tables and a sequence.

Run ``python benchmarks/readers.py [blocks]``. The schema has forty tables. Each number of readers is measured in turns
within one run: the readers begin before the test and are there at its end.
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path

from figures import interleaved, machine, milliseconds, ratio, table, timed
from schemas import URL
from sqlalchemy import create_engine, text
from sqlalchemy.orm import Session
from workshop import cache, isolated

from pytest_crucible.run import Run
from pytest_crucible.settings import Settings

READERS = (0, 1, 5)


class Suite:
    """Tests beside wide sessions."""

    def __init__(self) -> None:
        self.run = Run(Settings(root=Path(__file__).parent, metadata=("schemas:forty",)), "be9c4a13", "main")
        self.run.worker.redirect.install()
        self.engine = create_engine(URL.format(driver="psycopg"), pool_size=10)
        self.sessions = [Session(self.engine) for _ in range(max(READERS))]

    def test(self, readers: int, *, write: bool) -> float:
        """Run one test beside so many *readers*; return the time of its isolation."""
        with self.run.worker.redirect.owned_by("wide"):
            for session in self.sessions[:readers]:
                for number in range(10):
                    session.execute(text(f"SELECT count(*) FROM t{number}"))
        around = isolated(self.run)
        took = timed(around.__enter__)
        with self.engine.begin() as connection:
            connection.execute(text("INSERT INTO t0 (name) VALUES ('new')" if write else "SELECT count(*) FROM t0"))
        took += timed(lambda: around.__exit__(None, None, None))
        for session in self.sessions[:readers]:
            session.close()
        return took

    def close(self) -> None:
        self.engine.dispose()
        self.run.close()


def main(blocks: int) -> None:
    """Measure and print."""
    suite = Suite()

    def act(readers: int, *, write: bool) -> Callable[[], float]:
        return lambda: suite.test(readers, write=write)

    try:
        acts = {
            f"{kind}, {readers} readers": act(readers, write=kind == "writes")
            for kind in ("reads", "writes")
            for readers in READERS
        }
        found = interleaved(acts, blocks=blocks, rounds=20)
    finally:
        suite.close()
    rows = [
        [name, milliseconds(found, name), ratio(found, name, f"{name.partition(',')[0]}, 0 readers")] for name in acts
    ]
    table("Open readers", ["a test beside", "ms, set up and reset", "ratio to none"], rows)


if __name__ == "__main__":
    machine()
    with cache():
        main(int(sys.argv[1]) if len(sys.argv) > 1 else 15)
