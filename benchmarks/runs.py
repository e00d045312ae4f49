"""The time of whole pytest runs: small tests with reset isolation, without any, and with an outer transaction.

Run ``python benchmarks/runs.py [rounds [tests]]``. Each way runs the same tests over forty tables, directly through a
session and through a client, in a process of its own, in turns with the others and on the same server. The time of a
test reaches from its start to that of the next one, so that it holds what a way leaves for later; the first test,
which makes the database, does not count. Processor time is that of client and server together.
"""

from __future__ import annotations

import json
import os
import random
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from itertools import pairwise
from pathlib import Path

import processor
import psycopg
import schemas
from figures import judged, load, machine, spread, table
from runs_project import write
from sqlalchemy import create_engine
from workshop import cache

from pytest_crucible.server import Lease, lease

NONE, RESET, POOLED, RECIPE = "no isolation", "reset", "outer transaction, pooled", "outer transaction, recipe"
WAYS = (NONE, RESET, POOLED, RECIPE)
KINDS = [f"test_{access} {dirty}" for access in ("direct", "client") for dirty in (0, 1, 3)]
ALL = "all"
# By the clock, with three dirty tables: times no isolation, and times the pooled outer transaction.
LIMITS = {NONE: 1.15, POOLED: 1.0}
# Milliseconds of a test, by the clock and in processor time.
Figures = dict[tuple[str, str], float]


class Bench:
    """The server, and the projects whose suites run on it.

    Args:
        folder: Where the projects are written.
        tests: The number of tests in a run.
    """

    def __init__(self, folder: Path, tests: int) -> None:
        self.tests = tests
        self.crucible = write(folder / "crucible", crucible=True, outer=False)
        self.projects = {RESET: self.crucible, NONE: write(folder / "bare", crucible=False, outer=False)}
        self.projects[POOLED] = self.projects[RECIPE] = write(folder / "outer", crucible=False, outer=True)
        self.lease: Lease = lease("embedded", root=self.crucible)
        address = self.lease.admin.to("bench_runs")
        with psycopg.connect(**self.lease.admin.libpq(), autocommit=True) as connection:
            self.postmaster = processor.parent(connection.info.backend_pid)
            connection.execute(f"CREATE DATABASE {address.database}")
        engine = create_engine(address.url("postgresql+psycopg"))
        schemas.forty.create_all(engine)
        engine.dispose()
        self.url = address.url("postgresql+asyncpg")

    def run(self, way: str, workers: int) -> Figures:
        """Run the suite once."""
        command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "-p", "runs_plugin"]
        command += ["-n", str(workers)] if workers else []
        command += [] if way == RESET else ["-p", "no:crucible"]
        with tempfile.TemporaryDirectory() as notes:
            given = {
                "PYTHONPATH": str(Path(__file__).parent),
                "RUNS_NOTES": notes,
                "RUNS_POSTMASTER": str(self.postmaster),
                "RUNS_TESTS": str(self.tests),
                "RUNS_WAY": way,
                "DATABASE_URL": schemas.URL.format(driver="asyncpg") if way == RESET else self.url,
            }
            done = subprocess.run(
                command, cwd=self.projects[way], env=os.environ | given, capture_output=True, text=True, check=False
            )
            if done.returncode:
                raise SystemExit(done.stdout + done.stderr)
            return figures([json.loads(path.read_text()) for path in sorted(Path(notes).iterdir())])


def figures(workers: Sequence[dict]) -> Figures:
    """Return the figures of a run from the notes of its workers."""
    return of_kinds(workers) | of_all(
        [notes["borders"] for notes in workers], sum(len(n["tests"]) - 1 for n in workers)
    )


def of_kinds(workers: Sequence[dict]) -> Figures:
    """Return the figures of each kind of tests; with several workers, the server's part of none can be told."""
    found: Figures = {}
    intervals: dict[str, list[float]] = {}
    for notes in workers:
        for (kind, begin), (_, end) in pairwise(notes["tests"]):
            intervals.setdefault(kind, []).append(end - begin)
    for kind, values in intervals.items():
        found[kind, "clock"] = statistics.median(values) * 1000
    if len(workers) == 1:
        for (kind, _, client, server), (_, _, client_end, server_end) in pairwise(workers[0]["borders"]):
            found[kind, "processor"] = (client_end - client + server_end - server) / len(intervals[kind]) * 1000
    return found


def of_all(borders: Sequence[list], tests: int) -> Figures:
    """Return the figures of all tests of a run, from what each worker noted at its borders of kinds."""
    took = max(each[-1][1] for each in borders) - min(each[0][1] for each in borders)
    client = sum(each[-1][2] - each[0][2] for each in borders)
    server = max(each[-1][3] for each in borders) - min(each[0][3] for each in borders)
    return {(ALL, "clock"): took / tests * 1000, (ALL, "processor"): (client + server) / tests * 1000}


def measure(bench: Bench, workers: int, rounds: int) -> dict[str, list[Figures]]:
    """Return the figures of each way in each round; in a round, each way runs once, in a new order."""
    found: dict[str, list[Figures]] = {way: [] for way in WAYS}
    for _ in range(rounds):
        for way in random.sample(WAYS, len(WAYS)):
            found[way].append(bench.run(way, workers))
    return found


def show(title: str, found: dict[str, list[Figures]], clock: str) -> None:
    """Print the table of one clock: each way in milliseconds, and the reset's ratio to two others, round by round."""
    rows = []
    for kind in (*KINDS, ALL):
        if (kind, clock) not in found[RESET][0]:
            continue
        each = [spread([figures[kind, clock] for figures in found[way]]) for way in WAYS]
        ratios = {
            other: spread(
                [mine[kind, clock] / its[kind, clock] for mine, its in zip(found[RESET], found[other], strict=True)]
            )
            for other in LIMITS
        }
        held = [
            judged(ratios[other].median, limit) if kind.endswith(" 3") and clock == "clock" else ""
            for other, limit in LIMITS.items()
        ]
        rows.append((kind.removeprefix("test_"), *each, ratios[NONE], held[0], ratios[POOLED], held[1]))
    header = ("test, dirty tables", *WAYS, f"reset / {NONE}", "expected", f"reset / {POOLED}", "expected")
    table(title, header, rows)


def main(rounds: int, tests: int) -> None:
    """Print the tables."""
    with tempfile.TemporaryDirectory() as folder:
        bench = Bench(Path(folder), tests)
        bench.run(RESET, 0)  # builds the template
        for workers in (0, 2):
            found = measure(bench, workers, rounds)
            for clock, words in {"clock": "by the clock", "processor": "of processor time"}.items():
                show(f"pytest -n {workers}, {tests} tests: ms a test {words}", found, clock)
        bench.lease.release()


if __name__ == "__main__":
    machine()
    arguments = [int(each) for each in sys.argv[1:]]
    with cache():
        main(*arguments, *(5, 1000)[len(arguments) :])
    load()
