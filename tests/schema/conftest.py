"""Projects whose schema is made by SQL scripts and callables, on a server that all tests share."""

from __future__ import annotations

import itertools
import sys
import textwrap
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import psycopg
import pytest

from pytest_crucible.control import Admin
from pytest_crucible.recipes import recipe_of
from pytest_crucible.recipes.fingerprints import fingerprint
from pytest_crucible.server import Lease, lease
from pytest_crucible.settings import Settings
from pytest_crucible.worker.worker import Worker

NUMBERS = itertools.count(1)


class Project:
    """A folder with scripts and modules under names that no other test uses."""

    def __init__(self, root: Path, server_root: Path, cache: Path, admin: Admin) -> None:
        self.root = root
        self.server_root = server_root
        self.cache = cache
        self.admin = admin
        self.number = next(NUMBERS)

    def write(self, name: str, text: str | bytes) -> str:
        path = self.root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(textwrap.dedent(text).lstrip("\n").encode() if isinstance(text, str) else text)
        return name

    def module(self, text: str, name: str = "build") -> str:
        """Write a module, as if it had been edited since the last run; return the dotted path of its ``build``."""
        module = f"{name}_{self.number}"
        self.write(f"{module}.py", "import pytest_crucible\n" + textwrap.dedent(text))
        self.forget()
        return f"{module}:build"

    def forget(self) -> None:
        for name in [name for name in sys.modules if name.endswith(f"_{self.number}")]:
            del sys.modules[name]

    def settings(self, *schema: str, **words: Any) -> Settings:
        return Settings(**({"root": self.root, "schema": schema} | words))

    def fingerprint(self, *schema: str, **words: Any) -> str:
        self.forget()
        return fingerprint(recipe_of(self.settings(*schema, **words)).parts())

    def worker(self, run: str, *schema: str, **words: Any) -> Worker:
        """Return a worker with a share in the server; to be closed."""
        worker = Worker(self.settings(*schema, **words), run, "main")
        worker.server._lease = lease("embedded", root=self.server_root, cache=self.cache)
        worker.redirect.install()
        worker.templates.pass_over_engines()  # of tests before
        return worker

    def databases(self) -> set[str]:
        return {name for name in self.admin.databases("crucible_") if self.root.name in name}


@pytest.fixture(scope="session")
def server(tmp_path_factory: pytest.TempPathFactory, server_cache: Path) -> Iterator[tuple[Lease, Path]]:
    root = tmp_path_factory.mktemp("server")
    held = lease("embedded", root=root, cache=server_cache)
    yield held, root
    held.release()


@pytest.fixture
def project(
    server: tuple[Lease, Path],
    server_cache: Path,
    tmp_path_factory: pytest.TempPathFactory,
    monkeypatch: pytest.MonkeyPatch,
) -> Iterator[Project]:
    """Yield an empty project."""
    held, root = server
    admin = Admin(held)
    folder = tmp_path_factory.mktemp("project")
    monkeypatch.syspath_prepend(folder)
    made = Project(folder, root, server_cache, admin)
    yield made
    made.forget()
    for name in made.databases():
        admin.drop(name)
    admin.close()


@pytest.fixture
def work(project: Project) -> Iterator[Callable[..., Worker]]:
    """Make a worker of a run; all are closed at the end."""
    made: list[Worker] = []

    def make(*schema: str, run: str = "aaaaaaaa", **words: Any) -> Worker:
        for earlier in made:
            earlier.redirect.remove()  # of two in one process, only one can lead
        made.append(project.worker(run, *schema, **words))
        return made[-1]

    yield make
    for worker in made:
        worker.close()


@pytest.fixture
def ask() -> Callable[..., list[tuple[Any, ...]]]:
    """Run a query in a worker's main database, as the role that owns it."""

    def run(worker: Worker, query: str) -> list[tuple[Any, ...]]:
        with psycopg.connect(**worker.address().libpq(), autocommit=True) as connection:
            return connection.execute(query).fetchall()

    return run
