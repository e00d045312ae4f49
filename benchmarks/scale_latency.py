"""The round trips of a test to an external server, and its time at a latency of 1 and 10 ms.

Run ``python benchmarks/scale_latency.py [tests]``. The suite of `runs_project.py` runs under Crucible and without
isolation, through a proxy that delays each message and counts. The time of a test reaches from its start to that of the
next one.
"""

from __future__ import annotations

import json
import os
import statistics
import subprocess
import sys
import tempfile
from itertools import pairwise
from pathlib import Path

import psycopg
import schemas
from figures import judged, load, machine, number, table
from runs_project import write
from scale_proxy import Proxy, proxied
from sqlalchemy import create_engine
from workshop import cache

from pytest_crucible.server import Lease, lease

LATENCIES = (0, 1, 10)
# Of Crucible's connections, and of those of the application beyond what it needs by itself.
LIMIT, BEYOND = 1, 0
# How much longer a test takes than without latency, in round trips: the reset's is in part in the shadow of pytest's
# work.
LONGER = 1.1
BARE, RESET = "no isolation", "reset"
# For each kind of tests: the milliseconds of each, and the round trips of Crucible's and of other connections.
Kinds = dict[str, list[tuple[float, int, int]]]


class Bench:
    """The server behind the proxy, and the projects."""

    def __init__(self, folder: Path, held: Lease, proxy: Proxy, tests: int) -> None:
        self.proxy = proxy
        self.tests = tests
        self.projects = {way: write(folder / way[:2], crucible=way == RESET, outer=False) for way in (BARE, RESET)}
        address = held.admin.to("bench_latency")
        with psycopg.connect(**held.admin.libpq(), autocommit=True) as connection:
            connection.execute(f"CREATE DATABASE {address.database}")
        engine = create_engine(address.url("postgresql+psycopg"))
        schemas.forty.create_all(engine)
        engine.dispose()
        self.server = f"{held.admin.user}@127.0.0.1:{proxy.port}"

    def run(self, way: str, latency: float) -> Kinds:
        """Run the suite once at *latency*, in milliseconds for a round trip."""
        self.proxy.delay = latency / 2000
        command = [
            sys.executable,
            "-m",
            "pytest",
            "-q",
            "-p",
            "no:cacheprovider",
            "-p",
            "no:xdist",
            "-p",
            "runs_plugin",
        ]
        command += [] if way == RESET else ["-p", "no:crucible"]
        database = "app" if way == RESET else "bench_latency"
        with tempfile.TemporaryDirectory() as notes:
            given = {
                "PYTHONPATH": os.pathsep.join([str(Path(__file__).parent), os.environ.get("PYTHONPATH", "")]),
                "RUNS_NOTES": notes,
                "RUNS_POSTMASTER": str(os.getpid()),
                "RUNS_TESTS": str(self.tests),
                "RUNS_WAY": way,
                "CRUCIBLE_SERVER": f"postgresql://{self.server}/postgres",
                "DATABASE_URL": f"postgresql+asyncpg://{self.server}/{database}",
            }
            done = subprocess.run(
                command, cwd=self.projects[way], env=os.environ | given, capture_output=True, text=True, check=False
            )
            if done.returncode:
                raise SystemExit(done.stdout[:6000] + done.stderr)
            (path,) = Path(notes).iterdir()
            return self.kinds(json.loads(path.read_text())["tests"])

    def kinds(self, begins: list[tuple[str, float]]) -> Kinds:
        """Return what each test took, from when each began."""
        found: Kinds = {}
        for (kind, begin), (_, end) in pairwise(begins):
            own, others = (self.proxy.count(own, begin, end) for own in (True, False))
            found.setdefault(kind.removeprefix("test_"), []).append(((end - begin) * 1000, own, others))
        return found


def longer_by(kind: str, bare: Kinds, reset: Kinds) -> float:
    """Return by how many milliseconds a test takes longer with the reset."""
    took, alone = (statistics.median(test[0] for test in kinds[kind]) for kinds in (reset, bare))
    return took - alone


def row(kind: str, latency: float, bare: Kinds, reset: Kinds, near: float) -> tuple[object, ...]:
    """Return what the tests of this *kind* took."""
    # Without the first, which may connect, and the last, after which the run may end.
    own, application = (statistics.mean(test[which] for test in reset[kind][1:-1]) for which in (1, 2))
    beyond = application - statistics.mean(test[2] for test in bare[kind][1:-1])
    took, alone = (statistics.median(test[0] for test in kinds[kind]) for kinds in (reset, bare))
    longer = (longer_by(kind, bare, reset) - near) / latency if latency else 0.0
    cells = [number(own), judged(own, LIMIT + 0.1), number(beyond), judged(beyond, BEYOND + 0.1)]
    return (
        kind,
        *cells,
        number(alone),
        number(took),
        *((number(longer), judged(longer, LONGER)) if latency else ("", "")),
    )


def main(tests: int) -> None:
    """Print the tables."""
    with tempfile.TemporaryDirectory() as folder:
        held = lease("embedded", root=Path(folder))
        with proxied(f"{held.admin.host}/.s.PGSQL.{held.admin.port}") as proxy:
            bench = Bench(Path(folder), held, proxy, tests)
            bench.run(RESET, 0)  # builds the template
            near: dict[str, float] = {}
            for latency in LATENCIES:
                bare, reset = bench.run(BARE, latency), bench.run(RESET, latency)
                near = near or {kind: longer_by(kind, bare, reset) for kind in reset}
                rows = [row(kind, latency, bare, reset, near[kind]) for kind in reset]
                header = ("test, dirty tables", "round trips of Crucible's", "expected", "more of the application's")
                header += ("expected", "ms, no isolation", "ms, reset", "longer, in round trips", "expected")
                table(f"a test at {latency} ms of latency to an external server", header, rows)
        held.release()


if __name__ == "__main__":
    machine()
    with cache():
        main(int(sys.argv[1]) if len(sys.argv) > 1 else 300)
    load()
