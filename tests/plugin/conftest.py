"""Whole projects, run as their users run them, in one folder and so on one server that is kept running."""

from __future__ import annotations

import shutil
import textwrap
from collections.abc import Iterator
from pathlib import Path

import inner_project
import psycopg
import pytest

from pytest_crucible.server import Lease, lease

CONFIGURATION = inner_project.configuration(
    strict=None, filterwarnings=["default"], addopts=["--import-mode=importlib"]
)

# What tests ask of the worker database without any fixture of Crucible's.
PEOPLE = """
from sqlalchemy import create_engine, text

engine = create_engine("postgresql+psycopg://app@db.production.invalid/app")


def add(name):
    with engine.begin() as connection:
        connection.execute(text("INSERT INTO users (name) VALUES (:name)"), {"name": name})


def names():
    with engine.connect() as connection:
        return sorted(connection.scalars(text("SELECT name FROM users")))
"""


class Suite:
    """A project's folder, emptied for each test; its server and its cache stay."""

    def __init__(self, root: Path, pytester: pytest.Pytester, share: Lease) -> None:
        self.root = root
        self._pytester = pytester
        self.share = share
        for path in root.iterdir():
            shutil.rmtree(path) if path.is_dir() else path.unlink()
        self.configure()
        self.write(app=inner_project.APP, people=PEOPLE)

    def configure(self, more: str = "", *, text: str = CONFIGURATION, name: str = "pyproject.toml") -> None:
        """Write the configuration file, with *more* at its end."""
        (self.root / name).write_text(textwrap.dedent(text) + textwrap.dedent(more), "utf-8")

    def write(self, **files: str) -> None:
        """Write modules; ``a__b`` is ``a/b.py``."""
        for name, text in files.items():
            inner_project.write(self.root, name.replace("__", "/") + ".py", text)

    def run(self, *arguments: str, process: bool = False, **files: str) -> pytest.RunResult:
        """Write modules and run pytest on the project, in a process of its own if asked."""
        self.write(**files)
        words = (f"--rootdir={self.root}", "-p", "no:cacheprovider", *arguments)
        if process:
            return self._pytester.runpytest_subprocess(*words)
        return self._pytester.runpytest_inprocess(*words, no_reraise_ctrlc=True)

    def databases(self, pattern: str = "^crucible_[^t]") -> list[str]:
        """Return databases on the server, by default those of Crucible that are no templates."""
        with psycopg.connect(**self.share.admin.libpq()) as connection:
            query = "SELECT datname FROM pg_database WHERE datname ~ %s ORDER BY 1"
            return [row[0] for row in connection.execute(query, (pattern,))]


@pytest.fixture(scope="session")
def suite_server(tmp_path_factory: pytest.TempPathFactory, server_cache: Path) -> Iterator[tuple[Path, Lease]]:
    """Yield a folder, and a share in the folder's server."""
    root = tmp_path_factory.mktemp("suite")
    share = lease("embedded", root=root, cache=server_cache)
    yield root, share
    share.release()


@pytest.fixture
def suite(
    project_server: object,  # imports what runs in this process must share
    suite_server: tuple[Path, Lease],
    server_cache: Path,
    pytester: pytest.Pytester,
    monkeypatch: pytest.MonkeyPatch,
) -> Suite:
    """Return a project with the application above and two lines of configuration, without tests yet."""
    root, share = suite_server
    monkeypatch.setenv("CRUCIBLE_CACHE", str(server_cache))
    monkeypatch.delenv("PYTHONDONTWRITEBYTECODE", raising=False)
    monkeypatch.chdir(root)
    return Suite(root, pytester, share)
