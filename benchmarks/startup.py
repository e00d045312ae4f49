"""What Crucible adds to the start of a run: until the first test has asked its database, and where it is not used.

Run ``python benchmarks/startup.py [runs]``. A project of one model and one test is run with Crucible, and without it on
a plain database that is there already, in turns. The test itself notes when its first query was answered.
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
from figures import Block, Spread, interleaved, judged, load, machine, milliseconds, number, spread, table
from workshop import cache

from pytest_crucible.server import Lease, lease

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
    Path(os.environ["FIRST_TEST"]).write_text(str(time.clock_gettime(time.CLOCK_MONOTONIC)))
"""
NOTHING = "def test_nothing():\n    pass\n"
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
    """A project in a folder, and how long its runs take.

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

    def pytest(self, *arguments: str, folder: str = "", **environment: str) -> float:
        """Run pytest; how long it took, in seconds."""
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

    def first_test(self, *arguments: str, **environment: str) -> float:
        """From the start of pytest until the test's first query was answered, in seconds."""
        began = time.clock_gettime(time.CLOCK_MONOTONIC)
        self.pytest(*arguments, **environment)
        return float(self.noted.read_text()) - began

    def with_crucible(self) -> float:
        return self.first_test("-c", "with.ini")

    def cold(self) -> float:
        """Nothing is cached: no cluster, no template."""
        held = self.cache.with_name(self.cache.name + "-cold")
        took = self.first_test("-c", "with.ini", CRUCIBLE_CACHE=str(held))
        shutil.rmtree(held)
        return took

    def without(self, url: str) -> float:
        return self.first_test("-c", "without.ini", "-p", "no:crucible", DATABASE_URL=url)


def plain(held: Lease) -> str:
    """A database with the application's table, for runs without Crucible."""
    words = held.admin.libpq()
    with psycopg.connect(**words, autocommit=True) as connection:
        connection.execute("CREATE DATABASE plain")
    with psycopg.connect(**held.admin.to("plain").libpq(), autocommit=True) as connection:
        connection.execute("CREATE TABLE users (id serial PRIMARY KEY)")
    return held.admin.to("plain").url("postgresql+asyncpg")


def processor(act: Callable[[], object]) -> float:
    """The processor time of the processes that *act* ran, in seconds."""
    before = os.times()
    act()
    after = os.times()
    return after.children_user + after.children_system - before.children_user - before.children_system


def beyond(found: list[Block], name: str, unit: str) -> Spread:
    """How many milliseconds more *name* took than *unit*, run by run."""
    return spread([(a - b) * 1000 for block in found for a, b in zip(block[name], block[unit], strict=True)])


def first_tests(folder: Path, runs: int) -> None:
    """The table of the first test of a run that uses Crucible."""
    project = Project(folder / "project")
    other = lease("embedded", root=folder)
    url = plain(other)
    acts: Mapping[str, Callable[[], float]] = {
        "without Crucible, its database there": lambda: project.without(url),
        "template there, no server": project.with_crucible,
        "nothing cached": project.cold,
    }
    found = interleaved(acts, blocks=runs, rounds=1)
    held = lease("embedded", root=project.folder)
    bare, cached, cold = acts
    joined = "template there, server running"
    again = interleaved({joined: project.with_crucible, bare: acts[bare]}, blocks=runs, rounds=1)
    held.release()
    other.release()
    rows = [(bare, milliseconds(found + again, bare), "", "")]
    for name, blocks, limit in ((joined, again, 400), (cached, found, 400), (cold, found, 3000)):
        more = beyond(blocks, name, bare)
        rows.append((name, milliseconds(blocks, name), more, judged(more.median, limit)))
    header = ("until the first query is answered", "ms from pytest's start", "ms beyond a run without", "expected")
    table("start-up", header, rows)


def unused(folder: Path, runs: int) -> None:
    """The table of a project that has no setting of Crucible's."""
    project = Project(folder / "unused")
    acts: Mapping[str, Callable[[], float]] = {
        "loaded": lambda: processor(lambda: project.pytest(folder="unused")),
        "left out": lambda: processor(lambda: project.pytest("-p", "no:crucible", folder="unused")),
    }
    found = interleaved(acts, blocks=runs, rounds=1)
    more = beyond(found, "loaded", "left out")
    rows = [(name, milliseconds(found, name), "", "") for name in acts]
    rows.append(("difference, run by run", "", more, judged(more.median, 10)))
    table("a project without crucible_* options", ("whole run", "ms of processor time", "ms more", "expected"), rows)


if __name__ == "__main__":
    machine()
    runs = int(sys.argv[1]) if len(sys.argv) > 1 else 15
    with cache() as place:
        first_tests(Path(place), runs)
        unused(Path(place), 3 * runs)
    load()
    print(f"({number(runs)} runs each, {3 * runs} of the last)")
