"""What is imported, and from where: the package stays light and its layers apart."""

import ast
import inspect
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from syntax import nodes

import pytest_crucible
from pytest_crucible import errors

SOURCE = Path(pytest_crucible.__file__).parent
HEAVY = ("sqlalchemy", "fastapi", "starlette", "psycopg", "psycopg2", "asyncpg", "alembic", "polyfactory", "httpx")
BELOW_REDIRECT = ("control", "errors", "project", "report", "server", "settings")


def modules() -> list[Path]:
    return sorted(SOURCE.rglob("*.py"))


def imported(path: Path) -> Iterator[str]:
    for node in nodes(path):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and not node.level and node.module:
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


def loaded_by(*modules: str) -> set[str]:
    code = f"import pytest, {', '.join(modules)}, sys; print(*sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    return set(done.stdout.split())


@pytest.mark.parametrize("module", ["pytest_crucible", "pytest_crucible.pytest_plugin"])
def test_loading_is_light(module: str):
    """Neither the package nor its plugin loads what a project without settings of Crucible would pay for."""
    assert loaded_by(module).isdisjoint(HEAVY)


def test_a_run_without_a_database_does_without_its_driver():
    """What a run imports before its first test needs a database holds no driver: psycopg alone takes 35 ms."""
    drivers = {"psycopg", "psycopg2", "asyncpg", "alembic", "polyfactory", "hypothesis", "schemathesis"}
    modules = ("pytest_crucible.run", "pytest_crucible.fixtures", "pytest_crucible.fixtures.contract")
    assert loaded_by(*modules).isdisjoint(drivers)


def test_all_is_exact():
    """`__all__` is sorted, everything in it exists, and every error is in it."""
    assert pytest_crucible.__all__ == sorted(set(pytest_crucible.__all__))
    assert all(getattr(pytest_crucible, name).__name__ == name for name in pytest_crucible.__all__)
    tree = {name for name, kind in vars(errors).items() if inspect.isclass(kind) and issubclass(kind, Exception)}
    assert tree <= set(pytest_crucible.__all__)
    assert set(pytest_crucible.__all__) <= set(dir(pytest_crucible))


def test_an_unknown_public_name():
    """A name that is not public is an AttributeError, as of any module."""
    with pytest.raises(AttributeError, match="module 'pytest_crucible' has no attribute 'nothing'"):
        _ = pytest_crucible.nothing


def test_no_private_name_of_pytest():
    """A private name of pytest would break every project with its next release."""
    private = [(path.name, name) for path in modules() for name in imported(path) if name.split(".")[0] == "_pytest"]
    assert private == []


def test_asyncio_stays_above():
    """What stands below redirect is synchronous, and imports nothing of SQLAlchemy's asyncio."""
    below = [path for path in modules() if path.relative_to(SOURCE).parts[0].removesuffix(".py") in BELOW_REDIRECT]
    found = [
        (path.name, name) for path in below for name in imported(path) if name.startswith("sqlalchemy.ext.asyncio")
    ]
    assert found == []
