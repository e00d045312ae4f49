"""The cost of a test and the memory of the process, from the first test of a long pytest run to the last.

Run ``python benchmarks/scale_growth.py [tests]``. One test writes to three of forty tables, over and over; it runs
under Crucible and without isolation. Windows of a twentieth of the run are compared: processor time of client and
server.
"""

from __future__ import annotations

import json
import os
import statistics
import subprocess
import sys
import tempfile
from pathlib import Path

import runs_project
from figures import judged, load, machine, number, table
from runs import NONE, RESET, Bench
from workshop import cache

TESTS = 10_000
WINDOWS = 20
LIMIT = 1.1
# Bytes for each test beyond those without Crucible.
BYTES = 200
SUITE = """
import os
import uuid

import pytest
from app import work


@pytest.mark.parametrize("number", range(int(os.environ["RUNS_TESTS"])))
async def test_direct(db_session, number):
    assert await work(db_session, 3, uuid.uuid4().hex)
"""


def run(bench: Bench, way: str) -> list[dict[str, float]]:
    """Run the suite; return what each window took, in milliseconds for a test, and the memory at its end in bytes."""
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "-p", "scale_growth_plugin"]
    command += [] if way == RESET else ["-p", "no:crucible"]
    with tempfile.TemporaryDirectory() as notes:
        path = Path(notes, "notes")
        given = {
            "PYTHONPATH": os.pathsep.join([str(Path(__file__).parent), os.environ.get("PYTHONPATH", "")]),
            "RUNS_NOTES": str(path),
            "RUNS_POSTMASTER": str(bench.postmaster),
            "RUNS_TESTS": str(bench.tests),
            "RUNS_WINDOW": str(bench.tests // WINDOWS),
            "RUNS_WAY": way,
            "DATABASE_URL": "postgresql+asyncpg://app@db.production.invalid/app" if way == RESET else bench.url,
        }
        done = subprocess.run(
            command, cwd=bench.projects[way], env=os.environ | given, capture_output=True, text=True, check=False
        )
        if done.returncode:
            raise SystemExit(done.stdout[:4000] + done.stderr)
        windows: list[dict[str, float]] = json.loads(path.read_text())
        return windows


def growth(windows: list[dict[str, float]], key: str) -> float:
    """Return by how much three windows at the end exceed three at the beginning, without the first."""
    return statistics.median(w[key] for w in windows[-3:]) / statistics.median(w[key] for w in windows[1:4])


def main(tests: int) -> None:
    """Print the table."""
    runs_project.TESTS = SUITE
    with tempfile.TemporaryDirectory() as folder:
        bench = Bench(Path(folder), tests)
        found = {way: run(bench, way) for way in (NONE, RESET)}
        bench.lease.release()
    rows = []
    each = {way: (w[-1]["memory"] - w[1]["memory"]) / (tests * (WINDOWS - 2) / WINDOWS) for way, w in found.items()}
    for way, windows in found.items():
        grown = growth(windows, "processor")
        shown = [number(windows[at]["processor"]) for at in (1, WINDOWS // 2, -1)]
        beyond = each[way] - each[NONE]
        cells = (judged(grown, LIMIT), number(each[way])) if way == RESET else ("", number(each[way]))
        rows.append((way, *shown, f"{grown:.2f}", *cells, judged(beyond, BYTES) if way == RESET else ""))
    header = ("ms of processor time", "first tests", "in the middle", "last tests", "growth", "expected")
    table(f"a run of {tests:,} tests", (*header, "bytes more for each test", "beyond the other"), rows)


if __name__ == "__main__":
    machine()
    with cache():
        main(int(sys.argv[1]) if len(sys.argv) > 1 else TESTS)
    load()
