"""Small whole projects, each run under plain pytest and under Crucible, on a server of its own each."""

from __future__ import annotations

import gc
import importlib
import os
import re
import shutil
import sys
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psycopg
import pytest
from sqlalchemy.engine import Engine

from pytest_crucible.server import Address, lease

# What lies here is imported by its plain name.
sys.path.insert(0, str(Path(__file__).parent))

from plain_outcomes import Outcomes
from plain_ways import PROJECTS, Way

# Imported before the first run inside this process, or each run would import them anew.
MODULES = """
anyio.pytest_plugin asgi_lifespan asyncpg fastapi.testclient httpx psycopg psycopg2 pytest_asyncio sqlmodel trio
sqlalchemy.dialects.postgresql.asyncpg sqlalchemy.dialects.postgresql.psycopg sqlalchemy.dialects.postgresql.psycopg2
sqlalchemy.ext.asyncio sqlalchemy.ext.hybrid pytest_crucible.fixtures.with_anyio pytest_crucible.fixtures.with_asyncio
hypothesis pytest_crucible.isolation.rollback pytest_crucible.run
xdist.plugin multiprocessing.pool concurrent.futures.process
"""
NOWHERE = Address("db.production.invalid", 5432, "app", "plain", "secret")
COMMON = ("-p", "no:cacheprovider", "-p", "no:randomly", "-p", "no:hypothesispytest", "--tb=short")


class Suites:
    """The projects, copied to a folder of this session's, and what came of their runs under plain pytest.

    Args:
        folder: Where the projects are copied to, with Crucible's lines of configuration and without them.
        server: The administrator of the server that plain pytest runs on.
        control: A connection to it.
    """

    def __init__(self, folder: Path, server: Address, control: psycopg.Connection) -> None:
        self.folder = folder
        self._server = server
        self._control = control
        self._outcomes: dict[tuple[str, Way], Outcomes] = {}

    def plain(self, name: str, way: Way, run: Any) -> Outcomes:
        """Return the outcomes under plain pytest, on a fresh database; run it once for all isolations."""
        key = name, way.plain()
        if key not in self._outcomes:
            self._control.execute("DROP DATABASE IF EXISTS plain WITH (FORCE)")
            self._control.execute("CREATE DATABASE plain OWNER app")
            url = self._server.to("plain", user="app").url(f"postgresql+{way.driver}")
            self._outcomes[key] = run("plain", name, key[1], url, "-p", "no:crucible", "-W", "error")
        return self._outcomes[key]

    def crucible(self, name: str, way: Way, run: Any) -> Outcomes:
        """Return the outcomes under Crucible, with an URL that leads nowhere."""
        url = NOWHERE.url(f"postgresql+{way.driver}")
        return run("crucible", name, way, url, f"--crucible-isolation={way.isolation}", *way.arguments())


@pytest.fixture(scope="session")
def suites(tmp_path_factory: pytest.TempPathFactory, server_cache: Path) -> Iterator[Suites]:
    """Yield the projects, and a server for each side that is kept running between runs."""
    for name in MODULES.split():
        importlib.import_module(name)
    gc.collect()
    gc.freeze()  # or every run inside, which collects garbage at its end, would go through all these modules
    folder = tmp_path_factory.mktemp("projects")
    for side in ("plain", "crucible"):
        shutil.copytree(PROJECTS, folder / side, ignore=shutil.ignore_patterns("__pycache__"))
    for configuration in folder.glob("plain/*/pyproject.toml"):
        text = configuration.read_text("utf-8")
        configuration.write_text(re.sub(r"(?m)^crucible_.*\n", "", text), "utf-8")
    shares = [lease("embedded", root=folder / side, cache=server_cache) for side in ("plain", "crucible")]
    server = shares[0].admin
    with psycopg.connect(**server.libpq(), autocommit=True) as control:
        control.execute("CREATE ROLE app LOGIN PASSWORD 'secret'")
        control.execute("CREATE ROLE tester LOGIN PASSWORD 'secret' IN ROLE app")
        yield Suites(folder, server, control)
    for share in shares:
        share.release()
    gc.unfreeze()
    sweep()


def sweep() -> None:
    """Let go of the engines of a project's modules here, and not in a later test."""
    for name in ("last_type", "last_value", "last_traceback", "last_exc"):  # of a run's last failure
        vars(sys).pop(name, None)
    for value in gc.get_objects():
        if type(value) is Engine and not value.dialect.is_async:
            value.dispose()  # pytester remembers what the run had, and so keeps its pools open until a later test
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        gc.collect()


@pytest.fixture
def run(suites: Suites, server_cache: Path, pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch) -> Any:
    """Run one project in this process, and return what came of its tests."""
    monkeypatch.setenv("CRUCIBLE_CACHE", str(server_cache))
    for variable in [variable for variable in os.environ if variable.startswith("PYTEST_XDIST")]:
        monkeypatch.delenv(variable)
    monkeypatch.delenv("PYTHONDONTWRITEBYTECODE", raising=False)

    def run(side: str, name: str, way: Way, url: str, *arguments: str) -> Outcomes:
        monkeypatch.setenv("DATABASE_URL", url)
        monkeypatch.setenv("PLAIN_ORDER", way.order)  # read by projects/conftest.py, in workers as well
        root = suites.folder / side
        outcomes = Outcomes()
        where = (
            root / name / "tests",
            f"--rootdir={root}",
            f"--confcutdir={root}",
            "-c",
            root / name / "pyproject.toml",
        )
        result = pytester.runpytest_inprocess(*where, *COMMON, *way.loop_scopes(), *arguments, plugins=[outcomes])
        outcomes.exit = int(result.ret)
        sweep()
        return outcomes

    return run
