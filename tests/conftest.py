"""A project with an application of its own, whose tests run inside the tests of Crucible."""

from __future__ import annotations

import ast
import gc
import importlib
import importlib.metadata
import itertools
import os
import sys
import warnings
from collections.abc import Callable, Iterator
from functools import cache, cached_property
from pathlib import Path
from types import ModuleType
from typing import Any

import inner_project
import pytest
from _pytest import _code as pytest_code
from _pytest import fixtures as pytest_fixtures

import pytest_crucible
from pytest_crucible.server import Lease, lease

# Whole projects, whose tests run in processes of their own.
collect_ignore = ["projects", "docs/projects", "plain/projects", "races/projects", "contract/projects"]

# Imported before the first run inside, or each run would import them anew, which not every module in C survives.
MODULES = """
asgi_lifespan asyncpg fastapi.testclient httpx psycopg psycopg2 pytest_asyncio sqlalchemy.dialects.postgresql.asyncpg
sqlalchemy.dialects.postgresql.psycopg sqlalchemy.dialects.postgresql.psycopg2 sqlalchemy.ext.asyncio
sqlalchemy.ext.mutable pytest_crucible.factories.polyfactory.batches pytest_crucible.factories.polyfactory.binding
pytest_crucible.fixtures.readiness pytest_crucible.fixtures.with_anyio pytest_crucible.fixtures.with_asyncio
"""


def pytest_collection() -> None:
    """Collect tests without collecting garbage, which finds none."""
    gc.disable()


def pytest_collection_finish() -> None:
    """Take our own modules and tests out of what each run inside goes through."""
    gc.enable()
    importlib.import_module("hypothesis")  # imported later, it would ask the collector who holds trio's generator
    hide_from_collector()


def hide_from_collector() -> None:
    """Have the garbage collector leave out what exists by now: each run inside asks it for engines, and runs it."""
    gc.collect()
    gc.freeze()


@pytest.hookimpl(wrapper=True)
def pytest_runtest_protocol(item: pytest.Item) -> Iterator[None]:
    """Have the garbage collector leave out what a test with runs inside has made, too.

    Each run asks the collector for the engines of the process, which takes longer the more there is.
    """
    result = yield
    if "pytester" in getattr(item, "fixturenames", ()):
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # connections that the runs inside have left
            hide_from_collector()
    return result


class Installed(importlib.metadata.PathDistribution):
    """An installed distribution, whose files are read once."""

    entry_points = cached_property(importlib.metadata.PathDistribution.entry_points.fget)
    files = cached_property(importlib.metadata.PathDistribution.files.fget)
    metadata = cached_property(importlib.metadata.PathDistribution.metadata.fget)


@cache
def installed() -> list[importlib.metadata.Distribution]:
    """Return the installed distributions."""
    return [Installed(each._path) for each in importlib.metadata.distributions()]


@pytest.fixture
def pytester(pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch) -> pytest.Pytester:
    """Return pytest's own fixture; runs in this process read once what does not change.

    Reading what is installed is half of what a run costs; looking for fixtures in all plugins is a tenth of the rest;
    parsing libraries for tracebacks is two thirds of what a run costs whose test fails in one.
    """
    known = installed()
    monkeypatch.setattr(importlib.metadata, "distributions", lambda **_: known)
    monkeypatch.setattr(pytest_code.TracebackEntry, "getsource", getsource)
    monkeypatch.setattr(pytest_fixtures.FixtureManager, "parsefactories", parsefactories)
    return pytester


LIBRARIES = (sys.prefix, sys.base_prefix, str(Path(pytest_crucible.__file__).parent))
PARSED: dict[str | Path, ast.AST] = {}
read_source = pytest_code.TracebackEntry.getsource
find_fixtures = pytest_fixtures.FixtureManager.parsefactories


def getsource(entry: pytest_code.TracebackEntry, parsed: dict[str | Path, ast.AST] | None = None) -> object:
    """Return the statement of *entry*; the modules of libraries are parsed once in this process."""
    return read_source(entry, PARSED if str(entry.path).startswith(LIBRARIES) else parsed)


def parsefactories(manager: pytest_fixtures.FixtureManager, *nodes: object, **holder: Any) -> None:
    """Look for fixtures, but not in plugins of libraries that have none."""
    plugin = holder.get("holder")
    owner = plugin if isinstance(plugin, ModuleType) else type(plugin)
    module = sys.modules.get(owner.__module__) if isinstance(owner, type) else owner
    of_library = str(getattr(module, "__file__", "")).startswith(LIBRARIES)
    if plugin is None or not of_library or has_fixtures(owner):
        find_fixtures(manager, *nodes, **holder)


@cache
def has_fixtures(owner: ModuleType | type) -> bool:
    """Return whether a plugin, or the class of one, has fixtures."""
    spaces = owner.__mro__ if isinstance(owner, type) else [owner]
    values = itertools.chain.from_iterable(vars(each).values() for each in spaces)
    return any(isinstance(value, pytest_fixtures.FixtureFunctionDefinition) for value in values)


class Project:
    """A project whose tests run in this process, on a server that is kept running between runs."""

    def __init__(self, root: Path, pytester: pytest.Pytester, number: Callable[[], int]) -> None:
        self.root = root
        self._pytester = pytester
        self._number = number

    def run(self, tests: str, *arguments: str, process: bool = False) -> pytest.RunResult:
        """Run *tests*, the text of one module; in a process of its own if asked."""
        path = inner_project.write(self.root, f"test_{self._number()}.py", tests)
        try:
            return inner_project.run(self._pytester, self.root, path, *arguments, process=process)
        finally:
            path.unlink()


@pytest.fixture(autouse=True)
def outside_ci(monkeypatch: pytest.MonkeyPatch) -> None:
    """Hide continuous integration, in which pytest prints errors a second time, uncut."""
    monkeypatch.delenv("CI", raising=False)
    monkeypatch.delenv("BUILD_NUMBER", raising=False)


@pytest.fixture(scope="session")
def server_cache(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return the cache of all projects and all workers of pytest-xdist: a cluster is initialised once."""
    base = tmp_path_factory.getbasetemp()
    path = (base.parent if "PYTEST_XDIST_WORKER" in os.environ else base) / "server_cache"
    path.mkdir(exist_ok=True)
    return path


@pytest.fixture(scope="session")
def project_server(tmp_path_factory: pytest.TempPathFactory, server_cache: Path) -> Iterator[tuple[Path, Lease]]:
    """Yield a project's folder, and a share in its server."""
    for name in MODULES.split():
        importlib.import_module(name)
    hide_from_collector()
    root = tmp_path_factory.mktemp("project")
    settings = inner_project.configuration(**inner_project.ONE_LOOP, filterwarnings=["default"])
    inner_project.write(root, "pyproject.toml", settings)
    inner_project.write(root, "app.py", inner_project.APP)
    share = lease("embedded", root=root, cache=server_cache)
    yield root, share
    share.release()


@pytest.fixture(scope="session")
def numbers() -> Callable[[], int]:
    """One number after the other: no two modules of a project have the same name."""
    return itertools.count(1).__next__


@pytest.fixture
def project(
    project_server: tuple[Path, Lease],
    server_cache: Path,
    numbers: Callable[[], int],
    pytester: pytest.Pytester,
    monkeypatch: pytest.MonkeyPatch,
) -> Project:
    """Return a project with a FastAPI application over asyncpg, on one event loop for all tests."""
    root, _ = project_server
    monkeypatch.setenv("CRUCIBLE_CACHE", str(server_cache))
    monkeypatch.delenv("PYTHONDONTWRITEBYTECODE", raising=False)
    return Project(root, pytester, numbers)
