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
BLOCK = re.compile(r"```\w+\n# ((?:app|older)/\S+)\n(.*?)```", re.DOTALL)
ROOT = Path(__file__).parents[2]
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


def older(project) -> None:
    """Write the suite of docs/init.md into *project*, with its application."""
    page = (ROOT / "docs" / "init.md").read_text("utf-8")
    for name, text in dict(reversed(BLOCK.findall(page))).items():  # the first of each name
        path = project.root / name.removeprefix("older/")
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, "utf-8")


@pytest.mark.slow
@pytest.mark.parametrize(
    "name", [None, "suite_savepoint", "suite_alembic"]
)  # of the others, one fixture is named at most
def test_the_list_from_the_top(copy, name: str | None):
    """All tests pass after each step of the list."""
    project = copy(name)
    if name is None:
        older(project)
    _, printed = project.init("--yes")
    before = PASSED.findall(project.pytest("-rA"))
    steps = {step: PASSED.findall(project.pytest("-rA")) for step in project.obey_stepwise(printed)}
    assert len(steps) >= 2
    assert list(steps.values()) == [before] * len(steps)
