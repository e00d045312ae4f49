"""Many runs at once: of one project on its embedded server, and with workers on one external server.

Run ``python benchmarks/scale_runs.py [runs [external runs [workers of each]]]``. Each run is pytest in processes of its
own; all begin at the same moment, without a template. They are compared with as many runs one after the other: what
they
wait for each other shows in the time, and what they do in vain in the processor time.
"""

from __future__ import annotations

import os
import resource
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

import psycopg
from figures import judged, load, machine, number, table
from runs_project import write
from workshop import cache

from pytest_crucible.server import lease
from pytest_crucible.server.embedded import launcher

TESTS = "60"
RUNS, EXTERNAL, WORKERS = 8, 16, 4
# The time of all, times what they would take one after the other; and the processor time of each, times that of one.
LIMIT, PROCESSOR_LIMIT = 1.0, 1.2
# Each worker of 64 has an administrator, a control connection, a successor's and the application's.
CONNECTIONS = 400
HEADER = (
    "runs",
    "s",
    "times one after the other",
    "expected",
    "s of the clients' processor time",
    "times that of one",
    "expected",
    "failed",
    "expected",
)


@dataclass(frozen=True)
class Together:
    """Runs that began at the same moment.

    Attributes:
        seconds: Until the last has ended.
        processor: The seconds of processor time of the clients.
        failed: The output of those that failed.
    """

    seconds: float
    processor: float
    failed: list[str]


def together(project: Path, runs: int, workers: int, environment: dict[str, str]) -> Together:
    """Start so many runs of *project* at once, and wait for all."""
    command = [sys.executable, "-m", "pytest", "-p", "no:cacheprovider", "-q", "-rN"]
    command += ["-n", str(workers)] if workers else ["-p", "no:xdist"]
    given = os.environ | {"RUNS_TESTS": TESTS, "RUNS_WAY": "reset"} | environment
    given["PYTHONPATH"] = os.pathsep.join([str(Path(__file__).parent), os.environ.get("PYTHONPATH", "")])
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    began = time.perf_counter()
    started = [
        subprocess.Popen(command, cwd=project, env=given, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
        for _ in range(runs)
    ]
    outputs = [each.communicate()[0] for each in started]
    seconds = time.perf_counter() - began
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    used = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    failed = [output for each, output in zip(started, outputs, strict=True) if each.returncode]
    return Together(seconds, used, failed)


def row(name: str, number_of: int, runs: Together, one: Together) -> tuple[str, ...]:
    """Return the cells of one number of runs."""
    if runs.failed:
        print(runs.failed[0][-3000:])
    times, each = runs.seconds / number_of / one.seconds, runs.processor / number_of / one.processor
    cells = (number(runs.seconds), number(times), judged(times, LIMIT), number(runs.processor))
    return (
        name,
        *cells,
        number(each),
        judged(each, PROCESSOR_LIMIT),
        f"{len(runs.failed)}",
        judged(len(runs.failed), 0),
    )


def embedded(folder: Path, largest: int) -> None:
    """Print the table of runs on the project's embedded server."""
    project = write(folder / "embedded", crucible=True, outer=False)
    environment = {"DATABASE_URL": "postgresql+asyncpg://app@db.production.invalid/app"}
    rows = []
    one: Together | None = None
    for runs in [runs for runs in (1, 2, 4, 8) if runs <= largest]:
        environment["CRUCIBLE_CACHE"] = str(folder / f"cache{runs}")
        found = together(project, runs, 0, environment)
        one = one or found
        rows.append(row(f"{runs}", runs, found, one))
    table("runs at once on one embedded server, from nothing", HEADER, rows)


def external(folder: Path, largest: int, workers: int) -> None:
    """Print the table of runs with workers on one external server."""
    project = write(folder / "external", crucible=True, outer=False)
    launcher.CONNECTIONS = CONNECTIONS
    held = lease("embedded", root=folder)
    url = f"postgresql://{held.admin.user}@/postgres?host={held.admin.host}&port={held.admin.port}"
    environment = {"CRUCIBLE_SERVER": url, "DATABASE_URL": "postgresql+asyncpg://app@db.production.invalid/app"}
    rows = []
    one: Together | None = None
    for runs in [runs for runs in (1, 4, 16) if runs <= largest]:
        found = together(project, runs, workers, environment)
        one = one or found
        rows.append(row(f"{runs} of {workers} workers", runs, found, one))
        with psycopg.connect(**held.admin.libpq(), autocommit=True) as connection:
            left = connection.execute("SELECT datname FROM pg_database WHERE datname ~ '^crucible_'").fetchall()
            for (name,) in left:  # the next number of runs begins from nothing, too
                connection.execute(f'ALTER DATABASE "{name}" WITH IS_TEMPLATE false')
                connection.execute(f'DROP DATABASE "{name}"')
        rows[-1] = (*rows[-1], f"{len(left)}", judged(len(left), 1))
    held.release()
    table("runs at once on one external server", (*HEADER, "databases left", "expected"), rows)


def main(runs: int, external_runs: int, workers: int) -> None:
    """Print the tables."""
    with tempfile.TemporaryDirectory() as folder:
        embedded(Path(folder), runs)
        external(Path(folder), external_runs, workers)


if __name__ == "__main__":
    machine()
    arguments = [int(each) for each in sys.argv[1:]]
    with cache():
        main(*arguments, *(RUNS, EXTERNAL, WORKERS)[len(arguments) :])
    load()
