"""Suites with the conftests that are met most, as they are: under plain pytest, and after `crucible init`."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from pathlib import Path

import psycopg
import pytest

from pytest_crucible.server import lease

from .conftest import SAMPLES

# Their engines read DATABASE_URL; without it they lead to a server that does not exist.
SUITES = sorted(folder.name for folder in SAMPLES.glob("suite_*"))
DRIVER = re.compile(r"postgresql\+\w+(?=://)")
PASSED = re.compile(r"(?m)^PASSED (\S+)")


@pytest.fixture(scope="session")
def database(tmp_path_factory: pytest.TempPathFactory, init_cache: Path) -> Iterator[Callable[[str, str], str]]:
    """Make a database of this name on a plain server, and return its URL for a driver."""
    share = lease("embedded", root=tmp_path_factory.mktemp("plain"), cache=init_cache)
    with psycopg.connect(**share.admin.libpq(), autocommit=True) as control:
        control.execute("CREATE ROLE app LOGIN")

        def make(name: str, driver: str) -> str:
            control.execute(f"CREATE DATABASE {name} OWNER app")
            return share.admin.to(name, user="app").url(driver)

        yield make
    share.release()


@pytest.mark.slow
@pytest.mark.parametrize("name", SUITES)
def test_all_tests_pass_before_and_after(copy, database, name: str):
    """The same tests pass under plain pytest, after `crucible init --yes`, and without the fixtures that it names."""
    project = copy(name)
    modules = {file: text for file, text in project.files().items() if file.endswith(".py")}
    [driver] = {driver for text in modules.values() for driver in DRIVER.findall(text)}
    url = database(name, driver)
    before = project.pytest("-p", "no:crucible", "-rA", DATABASE_URL=url, TEST_DATABASE_URL=url)
    assert len(PASSED.findall(before)) >= 10
    _, printed = project.init("--yes", tried=True)
    assert "tried: application, schema, session and client work" in printed
    after = project.pytest("-rA")
    assert "crucible: embedded PostgreSQL" in after
    assert PASSED.findall(after) == PASSED.findall(before)
    assert modules == {file: text for file, text in project.files().items() if file.endswith(".py")}
    project.obey(printed)
    assert PASSED.findall(project.pytest("-rA")) == PASSED.findall(before)
