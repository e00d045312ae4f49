"""What is in the engine, and projects that use it; `make container` runs this tier where an engine answers."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from pytest_crucible.server import lease
from pytest_crucible.server.container.lease import ContainerLease

PROJECT = {
    "pyproject.toml": """
[tool.pytest]
strict = true
crucible_metadata = ["models:Base"]
crucible_load = "models:load"
crucible_server = "container"
pythonpath = ["."]
""",
    "models.py": """
from pathlib import Path

from sqlalchemy import create_engine
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column

HERE = Path(__file__).parent
engine = create_engine("postgresql+psycopg://shop:secret@db.production.invalid/shop")

class Base(DeclarativeBase): pass

class Item(Base):
    __tablename__ = "items"
    id: Mapped[int] = mapped_column(primary_key=True)
    name: Mapped[str] = mapped_column(unique=True)

def load(session):
    with (HERE / "built").open("a") as file:
        file.write("x")
    session.add(Item(name="seed"))
""",
    "test_items.py": """
import os, time

import models
import pytest
from sqlalchemy import text

@pytest.mark.parametrize("number", range(12))
def test_an_item(number):
    time.sleep(0.1)  # long enough for every worker to come
    with models.engine.begin() as connection:
        assert connection.execute(text("SELECT name FROM items")).scalars().all() == ["seed"]
        connection.execute(text("INSERT INTO items (name) VALUES ('the same in all')"))
        row = connection.execute(text(
            "SELECT current_database(), pg_postmaster_start_time(), rolsuper, current_user FROM pg_roles"
            " WHERE rolname = current_user"
        )).one()
    assert row[2:] == (False, "shop")
    with (models.HERE / "seen").open("a") as file:
        file.write(f"{os.environ.get('PYTEST_XDIST_WORKER')}\\t{row[0]}\\t{row[1]}\\n")
""",
}


# As in server/container/engine.py, which loads testcontainers.
LABEL = "pytest-crucible.nest"
# Where the engine is, also in tests that point elsewhere.
ENVIRONMENT = dict(os.environ)


def engine(*words: str) -> list[str]:
    """Return the lines of a docker command."""
    done = subprocess.run(["docker", *words], check=True, capture_output=True, text=True, env=ENVIRONMENT)
    return done.stdout.splitlines()


def containers() -> list[str]:
    """Return the containers that Crucible started and that are there in whatever state."""
    return engine("ps", "-aq", "--filter", f"label={LABEL}")


def gone(seconds: float = 60) -> bool:
    """Return whether no container of Crucible's, and no volume, is left after a while."""
    deadline = time.monotonic() + seconds
    while containers() or engine("volume", "ls", "-q"):
        if time.monotonic() > deadline:
            return False
        time.sleep(0.05)
    return True


def inspected(container: str) -> dict:
    return json.loads("".join(engine("inspect", container)))[0]


@pytest.fixture(autouse=True)
def _nothing_stays() -> Iterator[None]:
    yield
    assert gone()


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """Return a project's folder."""
    path = tmp_path / "project"
    path.mkdir()
    for name, text in PROJECT.items():
        (path / name).write_text(text, "utf-8")
    return path


@pytest.fixture
def take(root: Path, tmp_path: Path) -> Iterator[Callable[..., ContainerLease]]:
    """Take a lease; what is still held at the end is released."""
    taken: list[ContainerLease] = []

    def one(spec: str = "container", folder: Path = root) -> ContainerLease:
        taken.append(lease(spec, root=folder, cache=tmp_path / "cache"))
        return taken[-1]

    yield one
    for held in taken:
        held.release()


class Crowd:
    """Processes that each take a lease of the same container and wait."""

    def __init__(self, root: Path, cache: Path, number: int) -> None:
        code = (
            "import sys; from pathlib import Path; from pytest_crucible.server import lease\n"
            f"held = lease('container', root=Path({str(root)!r}), cache=Path({str(cache)!r}))\n"
            "print(held.admin.port, flush=True); sys.stdin.read()"
        )
        self.processes = [
            subprocess.Popen([sys.executable, "-c", code], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
            for _ in range(number)
        ]

    def ports(self) -> list[str]:
        """Return the port that each was given."""
        return [process.stdout.readline().strip() for process in self.processes]

    def kill(self) -> None:
        for process in self.processes:
            process.kill()
        for process in self.processes:
            process.wait(30)
            process.stdin.close()
            process.stdout.close()


@pytest.fixture
def crowd(root: Path, tmp_path: Path) -> Iterator[Callable[[int], Crowd]]:
    started: list[Crowd] = []

    def start(number: int) -> Crowd:
        started.append(Crowd(root, tmp_path / "cache", number))
        return started[-1]

    yield start
    for one in started:
        one.kill()


def environment(root: Path) -> dict[str, str]:
    """Return the environment of a run inside a test."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("PYTEST_", "CRUCIBLE_"))}
    kept.pop("PYTHONDONTWRITEBYTECODE", None)
    return kept | {"CRUCIBLE_CACHE": str(root.parent / "cache")}


def run_pytest(root: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    """Run pytest in a process of its own."""
    words = [sys.executable, "-m", "pytest", "-p", "no:cacheprovider", *arguments]
    return subprocess.run(words, check=False, capture_output=True, text=True, cwd=root, env=environment(root))


def seen(root: Path) -> list[list[str]]:
    """Return what each test saw: worker, database, and when its server started."""
    return [line.split("\t") for line in (root / "seen").read_text().splitlines()]
