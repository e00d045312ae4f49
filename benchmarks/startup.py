"""The time that Crucible adds to the start of a run: until the first test's first query, and where it is not used.

Run ``python benchmarks/startup.py [runs]``. A project of one model and one test is run with Crucible, and without it on
a plain database that is there already, in turns. The test itself notes when its first query was answered, and what
processor time pytest had used by then; the server's own is not in it.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import time
from collections.abc import Callable, Mapping
from pathlib import Path

import psycopg
from figures import Block, Spread, interleaved, judged, load, machine, milliseconds, spread, table
from workshop import cache

from pytest_crucible.server import Lease, folders, lease
from pytest_crucible.server.embedded import binaries

BARE = "without Crucible, its database there"
JOINED = "template there, server running"
WARM = "template there, no server"
COLD = "nothing cached"
APPLICATION = """
import os
from fastapi import FastAPI
from sqlalchemy import text
from sqlalchemy.ext.asyncio import create_async_engine
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column

engine = create_async_engine(os.environ.get("DATABASE_URL", "postgresql+asyncpg://app@db.production.invalid/app"))
app = FastAPI()


class Base(DeclarativeBase):
    pass


class User(Base):
    __tablename__ = "users"
    id: Mapped[int] = mapped_column(primary_key=True)


async def ask() -> int:
    async with engine.connect() as connection:
        return await connection.scalar(text("SELECT count(*) FROM users"))
"""
TEST = """
import os
import time
from pathlib import Path

from app import ask


async def test_first():
    assert await ask() == 0
    noted = time.clock_gettime(time.CLOCK_MONOTONIC), time.process_time()
    Path(os.environ["FIRST_TEST"]).write_text(" ".join(map(str, noted)))
"""
NOTHING = "def test_nothing():\n    pass\n"
# Loaded before any plugin is: what importing Crucible's and calling its hooks costs, in processor time.
PROBE = """
import atexit
import functools
import inspect
import os
import time
from pathlib import Path

spent = -time.process_time()
from pytest_crucible import pytest_plugin
spent += time.process_time()


def timed(step):
    global spent
    began = time.process_time()
    try:
        return step()
    finally:
        spent += time.process_time() - began


def counted(hook):
    @functools.wraps(hook)
    def call(*arguments, **words):
        return timed(lambda: hook(*arguments, **words))

    @functools.wraps(hook)
    def wrapper(*arguments, **words):
        steps = hook(*arguments, **words)
        timed(lambda: next(steps))
        result = yield
        try:
            timed(lambda: steps.send(result))
        except StopIteration as end:
            return end.value

    return wrapper if inspect.isgeneratorfunction(hook) else call


for name, hook in list(vars(pytest_plugin).items()):
    if name.startswith("pytest_"):
        setattr(pytest_plugin, name, counted(hook))
atexit.register(lambda: Path(os.environ["FIRST_TEST"]).write_text(str(spent)))
"""
SETTINGS = """
[pytest]
asyncio_mode = auto
asyncio_default_fixture_loop_scope = function
pythonpath = .
"""
CRUCIBLE = """
crucible_app = app:app
crucible_metadata = app:Base
"""


class Project:
    """A project in a folder, and the times of its runs.

    Args:
        folder: Where to write it.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.cache = Path(os.environ["CRUCIBLE_CACHE"])
        self.noted = folder / "noted"
        folder.mkdir()
        (folder / "app.py").write_text(APPLICATION)
        (folder / "test_first.py").write_text(TEST)
        (folder / "with.ini").write_text(SETTINGS + CRUCIBLE)
        (folder / "without.ini").write_text(SETTINGS)
        unused = folder / "unused"
        unused.mkdir()
        (unused / "pytest.ini").write_text("[pytest]\n")
        (unused / "test_nothing.py").write_text(NOTHING)
        (unused / "probe.py").write_text(PROBE)
        self.processor: dict[str, list[float]] = {}

    def pytest(self, *arguments: str, folder: str = "", **environment: str) -> float:
        """Run pytest; return the time in seconds."""
        words = {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}
        command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", *arguments]
        began = time.perf_counter()
        done = subprocess.run(
            command,
            cwd=self.folder / folder,
            env=words | {"FIRST_TEST": str(self.noted)} | environment,
            capture_output=True,
            text=True,
            check=False,
        )
        took = time.perf_counter() - began
        if done.returncode:
            raise SystemExit(done.stdout + done.stderr)
        return took

    def first_test(self, name: str, *arguments: str, **environment: str) -> float:
        """Return the seconds from the start of pytest until the test's first query was answered."""
        began = time.clock_gettime(time.CLOCK_MONOTONIC)
        self.pytest(*arguments, **environment)
        answered, used = map(float, self.noted.read_text().split())
        self.processor.setdefault(name, []).append(used)
        return answered - began

    def warm(self, name: str) -> float:
        return self.first_test(name, "-c", "with.ini")

    def joined(self) -> float:
        """Measure while another run holds the server."""
        held = lease("embedded", root=self.folder)
        took = self.warm(JOINED)
        held.release()
        self.wait_for_the_end()
        return took

    def wait_for_the_end(self) -> None:
        key = folders.folders(self.folder, self.cache, binaries.find().identity).key
        while any(nest for parent in folders.nests() for nest in Path(parent).glob(f"{key}-*")):
            time.sleep(0.01)

    def cold(self) -> float:
        """Measure with nothing cached: no cluster, no template."""
        held = self.cache.with_name(self.cache.name + "-cold")
        took = self.first_test(COLD, "-c", "with.ini", CRUCIBLE_CACHE=str(held))
        shutil.rmtree(held, ignore_errors=True)
        return took

    def without(self, url: str) -> float:
        return self.first_test(BARE, "-c", "without.ini", "-p", "no:crucible", DATABASE_URL=url)

    def unused(self) -> float:
        """Return the time of Crucible's own code where it is not used."""
        self.pytest("-p", "probe", folder="unused", PYTHONPATH=".")
        return float(self.noted.read_text())


def plain(held: Lease) -> str:
    """Create a database with the application's table, for runs without Crucible; return its URL."""
    words = held.admin.libpq()
    with psycopg.connect(**words, autocommit=True) as connection:
        connection.execute("CREATE DATABASE plain")
    with psycopg.connect(**held.admin.to("plain").libpq(), autocommit=True) as connection:
        connection.execute("CREATE TABLE users (id serial PRIMARY KEY)")
    return held.admin.to("plain").url("postgresql+asyncpg")


def beyond(found: list[Block], name: str, unit: str) -> Spread:
    """Return the milliseconds that *name* took more than *unit*, run by run."""
    return spread([(a - b) * 1000 for block in found for a, b in zip(block[name], block[unit], strict=True)])


def first_tests(folder: Path, runs: int) -> None:
    """Print the table of the first test of a run that uses Crucible."""
    project = Project(folder / "project")
    other = lease("embedded", root=folder)
    url = plain(other)
    acts: Mapping[str, Callable[[], float]] = {
        BARE: lambda: project.without(url),
        JOINED: project.joined,
        WARM: lambda: project.warm(WARM),
        COLD: project.cold,
    }
    found = interleaved(acts, blocks=runs, rounds=1)
    other.release()
    # The first run of each only filled caches.
    blocks = [{name: [project.processor[name][1 + run]] for name in acts} for run in range(runs)]
    rows = [(BARE, milliseconds(found, BARE), "", "", milliseconds(blocks, BARE), "")]
    for name, limit in ((JOINED, 80), (WARM, 150), (COLD, 3000)):
        more = beyond(found, name, BARE)
        rows.append(
            (
                name,
                milliseconds(found, name),
                more,
                judged(more.median, limit),
                milliseconds(blocks, name),
                beyond(blocks, name, BARE),
            )
        )
    header = (
        "until the first query is answered",
        "ms from pytest's start",
        "ms beyond, run by run",
        "expected",
        "ms of processor time",
        "beyond",
    )
    table("start-up", header, rows)


def unused(folder: Path, runs: int) -> None:
    """Print the table of a project without any setting of Crucible."""
    project = Project(folder / "unused")
    found = interleaved({"unused": project.unused}, blocks=runs, rounds=1)
    cost = milliseconds(found, "unused")
    rows = [("importing the plugin, and all of its hooks", cost, judged(cost.median, 2))]
    table("a project without crucible_* options", ("", "ms of processor time", "expected"), rows)


if __name__ == "__main__":
    machine()
    runs = int(sys.argv[1]) if len(sys.argv) > 1 else 15
    with cache() as place:
        first_tests(Path(place), runs)
        unused(Path(place), runs)
    load()
