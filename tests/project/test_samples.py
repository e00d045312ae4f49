"""What is found in the sample projects, none of which is imported."""

import sys
from pathlib import Path

import pytest

from pytest_crucible.project.modules import read
from pytest_crucible.project.survey import Finds, find

PROJECTS = Path(__file__).parents[1] / "projects"
FOUND = {
    "src_layout": {
        "applications": ["shop.main:app"],
        "metadata": ["shop.models:Base"],
        "engines": ["shop.database:engine"],
        "session_makers": ["shop.database:SessionLocal"],
        "session_dependencies": ["shop.database:get_db"],
        "token_functions": ["shop.security:create_access_token"],
        "migrations": [],
        "fixtures": [],
    },
    "sqlmodel": {
        "applications": ["app.main:app"],
        "metadata": ["app.models:SQLModel"],
        "engines": ["app.db:engine"],
        "session_makers": [],
        "session_dependencies": ["app.db:get_session"],
        "token_functions": [],
        "migrations": [],
        "fixtures": [],
    },
    "alembic_async": {
        "applications": ["app.main:app", "app.main:admin"],
        "metadata": ["app.models:Base"],
        "engines": ["app.main:engine", "migrations.env:run_async_migrations"],
        "session_makers": ["app.main:async_session"],
        "session_dependencies": ["app.main:get_session"],
        "token_functions": [],
        "migrations": ["alembic.ini"],
        "fixtures": [],
    },
    "psycopg_sync": {
        "applications": ["app.main:app"],
        "metadata": ["app.db:Base"],
        "engines": ["app.db:engine", "tests.conftest:db_engine"],
        "session_makers": ["app.db:SessionLocal"],
        "session_dependencies": ["app.db:get_db"],
        "token_functions": [],
        "migrations": [],
        "fixtures": ["postgres_container", "db_engine", "db_session", "client", "title"],
    },
    "anyio_project": {
        "applications": ["notes.main:app"],
        "metadata": ["notes.tables:metadata"],
        "engines": ["notes.main:engine"],
        "session_makers": [],
        "session_dependencies": [],
        "token_functions": [],
        "migrations": [],
        "fixtures": ["anyio_backend"],
    },
    "app_factory": {
        "applications": ["app.factory:create_app"],
        "metadata": ["app.base:Base"],
        "engines": ["app.factory:create_app"],
        "session_makers": ["app.factory:create_app"],
        "session_dependencies": ["app.factory:get_session"],
        "token_functions": [],
        "migrations": [],
        "fixtures": ["event_loop", "shelf"],
    },
}


def found(name: str) -> Finds:
    return find(read(PROJECTS / name))


def named(finds: Finds, kind: str) -> list[str]:
    if kind == "migrations":
        return [one.config.name for one in finds.migrations]
    if kind == "fixtures":
        return [one.name for one in finds.fixtures]
    return [one.place.path for one in getattr(finds, kind)]


@pytest.mark.parametrize("name", FOUND)
def test_everything_is_found(name: str):
    """Every candidate of every kind is found, and nothing of a sample project is imported for it."""
    finds = found(name)
    assert {kind: named(finds, kind) for kind in FOUND[name]} == FOUND[name]
    assert not [
        module for module in sys.modules if str(PROJECTS / name) in str(getattr(sys.modules[module], "__file__", ""))
    ]
    assert [module.error for module in finds.project.modules if module.error] == []


@pytest.mark.parametrize(
    ("name", "file", "kind", "key", "value"),
    [
        ("sqlmodel", "pytest.ini", "ini", "addopts", ["-ra", "--strict-markers", "-p", "no:doctest"]),
        ("alembic_async", "pyproject.toml", "ini", "addopts", ["-q", "--strict-config"]),
        ("psycopg_sync", "setup.cfg", "ini", "testpaths", ["tests"]),
        ("app_factory", "tox.ini", "ini", "asyncio_mode", ["strict"]),
        ("anyio_project", "pyproject.toml", "toml", "testpaths", ["tests"]),
    ],
)
def test_the_configuration_in_effect(name: str, file: str, kind: str, key: str, value: list[str]):
    """pytest's configuration is read from the file that pytest itself would take."""
    configuration = found(name).configuration
    assert (configuration.file, configuration.kind) == (PROJECTS / name / file, kind)
    assert configuration.words(key) == value


def test_nothing_configures_a_fresh_project():
    """A project without any configuration of pytest says so."""
    assert found("src_layout").configuration.kind == "none"


def test_models_of_several_modules():
    """Where no module imports every model, the metadata is named once for each that is needed."""
    [base] = found("app_factory").metadata
    assert base.paths(found("app_factory").project, "app.factory") == [
        "app.models.books:Base",
        "app.models.authors:Base",
    ]


def test_requirements_of_poetry_and_of_files():
    """Requirements are found in Poetry's tables and in requirements files, under their normalised names."""
    poetry = {(one.name, one.kind, one.group) for one in found("alembic_async").requirements}
    assert {("asyncpg", "poetry", ""), ("pytest", "poetry", "dev")} <= poetry
    files = {(one.name, one.text, one.group) for one in found("sqlmodel").requirements}
    assert ("pytest", "pytest==8.3.4", "requirements-dev.txt") in files
    assert ("psycopg2-binary", "psycopg2-binary>=2.9", "requirements.txt") in files


def test_traits_of_fixtures():
    """What a fixture does is seen in its body, with its lines from the first decorator to the last statement."""
    by_name = {one.name: one for one in found("psycopg_sync").fixtures}
    assert by_name["postgres_container"].traits == {"container"}
    assert by_name["db_session"].traits == {"begin", "rollback", "savepoint", "session"}
    assert {"create_all", "engine"} <= by_name["db_engine"].traits
    assert by_name["db_engine"].scope == "session"
    first, last = by_name["db_session"].lines
    lines = by_name["db_session"].module.source.splitlines()
    assert (lines[first - 1], lines[last - 1].strip()) == ("@pytest.fixture", "transaction.rollback()")


def test_an_engine_says_where_it_leads():
    """The URL of an engine is known where a literal or a default says it, and only there."""
    [engine] = found("src_layout").engines
    assert engine.known_url == "postgresql+asyncpg://shop:secret@db.shop.invalid/shop"
    [inside] = found("app_factory").engines
    assert (inside.known_url, inside.at_module_level) == (None, False)
