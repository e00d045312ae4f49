"""Projects whose tests run in several processes, and what those saw."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import psycopg
import pytest

from pytest_crucible.server import lease

PROJECT = {
    "pyproject.toml": """
[tool.pytest]
strict = true
crucible_metadata = ["models:Base"]
crucible_load = "models:load"
pythonpath = ["."]
markers = ["xdist_group(name): for runs without xdist"]
""",
    "models.py": """
import os
from pathlib import Path

from sqlalchemy import create_engine, text
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column

ROOT = Path(os.environ.get("SEEN", Path(__file__).parent))
engine = create_engine("postgresql+psycopg://shop:secret@db.production.invalid/shop")

class Base(DeclarativeBase): pass

class Item(Base):
    __tablename__ = "items"
    id: Mapped[int] = mapped_column(primary_key=True)
    name: Mapped[str] = mapped_column(unique=True)

def note(file, *words):
    with (ROOT / file).open("a") as stream:
        stream.write("\\t".join(map(str, words)) + "\\n")

def load(session):
    note("built", os.getpid())
    session.add(Item(name="seed"))

def use(test):
    # In every test the same: what another test or worker left would be seen, or refused.
    with engine.begin() as connection:
        assert connection.execute(text("SELECT name FROM items")).scalars().all() == ["seed"]
        assert connection.execute(text("INSERT INTO items (name) VALUES ('one') RETURNING id")).scalar_one() == 2
        database, client = connection.execute(text("SELECT current_database(), host(inet_client_addr())")).one()
    note("seen", os.environ.get("PYTEST_XDIST_WORKER", "main"), database, test, client)
""",
    **{
        f"test_{name}.py": f"""
import time
import models, pytest

@pytest.mark.parametrize("number", range(4))
class TestOne:
    @pytest.mark.xdist_group("{name}")
    def test_it(self, number):
        time.sleep(0.02)
        models.use(f"{name}-{{number}}")

@pytest.mark.parametrize("number", range(4, 8))
def test_other(number):
    time.sleep(0.02)
    models.use(f"{name}-{{number}}")
"""
        for name in ("apples", "pears", "plums")
    },
}


@dataclass(frozen=True)
class Outcome:
    """What a run of pytest printed, and what its tests saw."""

    text: str
    code: int
    seen: list[tuple[str, str, str, str]]
    builds: int

    @property
    def workers(self) -> set[str]:
        return {worker for worker, *_ in self.seen}

    @property
    def databases(self) -> set[str]:
        return {database for _, database, *_ in self.seen}

    def counts(self) -> dict[str, int]:
        """How many passed, failed, and so on, by the last line."""
        last = self.text.strip().splitlines()[-1]
        return {word.rstrip("s"): int(number) for number, word in re.findall(r"(\d+) (passed|failed|errors?)", last)}


def clean_environment() -> dict[str, str]:
    """Return the environment of a run that is not inside a test."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("PYTEST_", "CRUCIBLE_"))}
    kept.pop("PYTHONDONTWRITEBYTECODE", None)
    return kept


class Project:
    """A project in a folder of its own."""

    def __init__(self, root: Path, cache: Path) -> None:
        self.root = root
        self.environment = clean_environment() | {"CRUCIBLE_CACHE": str(cache)}
        for name, text in PROJECT.items():
            self.write(name, text)

    def write(self, name: str, text: str) -> None:
        (self.root / name).write_text(text, "utf-8")

    def start(self, *arguments: str) -> subprocess.Popen[str]:
        words = [sys.executable, "-m", "pytest", "-p", "no:cacheprovider", *arguments]
        return subprocess.Popen(
            words, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, cwd=self.root, env=self.environment
        )

    def run(self, *arguments: str) -> Outcome:
        """Run pytest in processes of its own."""
        for name in ("seen", "built"):
            (self.root / name).unlink(missing_ok=True)
        with self.start(*arguments) as process:
            text, _ = process.communicate(timeout=300)
        return self.outcome(text, process.returncode)

    def outcome(self, text: str, code: int) -> Outcome:
        return Outcome(text, code, [tuple(line) for line in self._lines("seen")], len(self._lines("built")))

    def databases(self) -> set[str]:
        """Crucible's databases on the project's server, started from what the last run left if it is not running."""
        held = lease("embedded", root=self.root, cache=Path(self.environment["CRUCIBLE_CACHE"]))
        try:
            with psycopg.connect(**held.admin.libpq()) as connection:
                rows = connection.execute("SELECT datname FROM pg_database WHERE starts_with(datname, 'crucible_')")
                return {name for (name,) in rows.fetchall()}
        finally:
            held.release()

    def _lines(self, name: str) -> list[list[str]]:
        path = self.root / name
        return [line.split("\t") for line in path.read_text().splitlines()] if path.exists() else []


@pytest.fixture(scope="session")
def parallel_cache(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """One cache for all projects: initdb runs once."""
    return tmp_path_factory.mktemp("parallel-cache")


@pytest.fixture
def project(tmp_path: Path, parallel_cache: Path) -> Project:
    """Return a project of three modules."""
    root = tmp_path / "shop"
    root.mkdir()
    return Project(root, parallel_cache)
