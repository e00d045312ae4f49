"""A server, its administrator, and projects whose templates are built in this process."""

from __future__ import annotations

import importlib.util
import itertools
import sys
import textwrap
from collections.abc import Callable, Iterator
from pathlib import Path

import inner_project
import psycopg
import pytest

from pytest_crucible import recipes
from pytest_crucible.control import Admin
from pytest_crucible.recipes.fingerprints import fingerprint
from pytest_crucible.server import Lease, lease
from pytest_crucible.server.address import Address
from pytest_crucible.settings import Settings
from pytest_crucible.worker.worker import Worker

MODELS = "from sqlalchemy import DDL, event\n" + inner_project.MODELS
NUMBERS = itertools.count(1)


class Project:
    """A folder with modules under a name that no other test uses."""

    def __init__(self, root: Path, server: tuple[Path, Path], admin: Admin) -> None:
        self.root = root
        self.server_root, self.server_cache = server
        self.admin = admin
        self.number = next(NUMBERS)
        self.write("models", MODELS)

    def name(self, module: str) -> str:
        return f"{module}_{self.number}"

    def write(self, module: str, text: str) -> None:
        """Write a module, as if it had been edited since the last run."""
        text = textwrap.dedent(text).replace("MODELS", self.name("models"))
        path = self.root / f"{self.name(module)}.py"
        path.write_text(text, "utf-8")
        # Bytecode is told apart by the size of the source and the second of its change alone.
        Path(importlib.util.cache_from_source(str(path))).unlink(missing_ok=True)
        sys.modules.pop(self.name(module), None)

    def edit(self, module: str, old: str, new: str) -> None:
        path = self.root / f"{self.name(module)}.py"
        text = path.read_text("utf-8")
        assert old in text
        self.write(module, text.replace(old, new))

    def settings(self, **words: object) -> Settings:
        known = {"root": self.root, "metadata": (f"{self.name('models')}:Base",)}
        return Settings(**(known | words))

    def load(self, text: str) -> str:
        """Write a module with a callable ``load``; returns its dotted path."""
        self.write("data", text)
        return f"{self.name('data')}:load"

    def fingerprint(self, **words: object) -> str:
        """Return the fingerprint that the project has now, its modules imported anew."""
        for module in ("models", "data"):
            sys.modules.pop(self.name(module), None)
        facts = words.pop("facts", [("owner", "app"), ("server", "180000"), ("reset", "SQL")])
        return fingerprint(recipes.MetadataRecipe(self.settings(**words)).parts() | dict(facts))

    def worker(self, run: str, **words: object) -> Worker:
        """Return a worker with a share in the server; to be closed."""
        for module in ("models", "data"):
            sys.modules.pop(self.name(module), None)
        worker = Worker(self.settings(**words), run, "main")
        worker.server._lease = lease("embedded", root=self.server_root, cache=self.server_cache)
        worker.redirect.install()
        return worker

    def databases(self, pattern: str = "") -> set[str]:
        return {name for name in self.admin.databases("crucible_") if pattern in name}

    def connect(self, address: Address) -> psycopg.Connection:
        return psycopg.connect(**address.libpq(), autocommit=True)


@pytest.fixture(scope="session")
def server(tmp_path_factory: pytest.TempPathFactory, server_cache: Path) -> Iterator[tuple[Lease, Path]]:
    root = tmp_path_factory.mktemp("server")
    held = lease("embedded", root=root, cache=server_cache)
    yield held, root
    held.release()


@pytest.fixture
def admin(server: tuple[Lease, Path]) -> Iterator[Admin]:
    admin = Admin(server[0])
    admin.role("app")
    yield admin
    admin.close()


@pytest.fixture
def project(
    server: tuple[Lease, Path],
    server_cache: Path,
    admin: Admin,
    tmp_path_factory: pytest.TempPathFactory,
    monkeypatch: pytest.MonkeyPatch,
) -> Iterator[Project]:
    """Yield a project with one model, on a server that all tests share."""
    _, root = server
    folder = tmp_path_factory.mktemp("project")
    monkeypatch.syspath_prepend(folder)
    made = Project(folder, (root, server_cache), admin)
    yield made
    for name in [name for name in sys.modules if name.endswith(f"_{made.number}")]:
        if str(folder) in str(getattr(sys.modules[name], "__file__", "")):
            del sys.modules[name]  # or a run inside ours takes its sessionmaker for one of the application's
    for name in admin.databases("crucible_"):
        if f"_{folder.name}" in name:
            admin.drop(name)


@pytest.fixture
def work(project: Project) -> Iterator[Callable[..., Worker]]:
    """Make a worker of a run; all are closed at the end."""
    made: list[Worker] = []

    def make(run: str = "aaaaaaaa", **words: object) -> Worker:
        for earlier in made:
            earlier.redirect.remove()  # of two in one process, only one can lead
        made.append(project.worker(run, **words))
        return made[-1]

    yield make
    for worker in made:
        worker.close()
