"""The cost of further databases for a test: those that it uses, those that it does not, and those never needed.

Run ``python benchmarks/several.py [blocks]``. The databases have forty tables each.
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path

from figures import interleaved, machine, milliseconds, table, timed
from sqlalchemy import Engine, create_engine, text
from workshop import cache, isolated

from pytest_crucible.run import Run
from pytest_crucible.settings import Settings

FURTHER = ("a", "b", "c")
METADATA = "schemas:forty"


class Suite:
    """Tests of an application with a main database and three others, which are open."""

    def __init__(self) -> None:
        databases = tuple(f"{name}={METADATA}" for name in FURTHER)
        settings = Settings(root=Path(__file__).parent, metadata=(METADATA,), databases=databases)
        self.run = Run(settings, "be9c4a12", "main")
        self.run.worker.redirect.install()
        self.engines = {name: create_engine(f"postgresql+psycopg://app@nowhere.invalid/{name}") for name in FURTHER}
        self.main = create_engine("postgresql+psycopg://app@nowhere.invalid/main")

    def test(self, *, write: bool, further: int) -> float:
        """Run a test that uses so many further databases; return the time of its isolation."""
        around = isolated(self.run)
        took = timed(around.__enter__)
        for engine in [self.main, *[self.engines[name] for name in FURTHER[:further]]]:
            work(engine, write=write)
        return took + timed(lambda: around.__exit__(None, None, None))

    def close(self) -> None:
        for engine in (self.main, *self.engines.values()):
            engine.dispose()
        self.run.close()


def work(engine: Engine, *, write: bool) -> None:
    """Run a query, or commit a row."""
    with engine.begin() as connection:
        connection.execute(text("INSERT INTO t0 (name) VALUES ('new')" if write else "SELECT count(*) FROM t0"))


def main(blocks: int) -> None:
    """Measure and print."""
    suite = Suite()

    def act(*, write: bool, further: int) -> Callable[[], float]:
        return lambda: suite.test(write=write, further=further)

    try:
        alone = {f"{kind}, none open": act(write=kind == "writes", further=0) for kind in ("reads", "writes")}
        measured = [interleaved(alone, blocks=blocks, rounds=20)]
        for engine in suite.engines.values():
            work(engine, write=False)
        acts = {
            f"{kind}, {further} of 3 used": act(write=kind == "writes", further=further)
            for kind in ("reads", "writes")
            for further in (0, 1, 3)
        }
        measured.append(interleaved(acts, blocks=blocks, rounds=20))
    finally:
        suite.close()
    rows = [[name, milliseconds(found, name)] for found in measured for name in found[0]]
    table("Several databases", ["a test of several databases", "ms, set-up and reset"], rows)


if __name__ == "__main__":
    machine()
    with cache():
        main(int(sys.argv[1]) if len(sys.argv) > 1 else 10)
