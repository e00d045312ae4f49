"""Fixtures and hooks that prepare a database, or make its schema for each test."""

import textwrap

import pytest

from .conftest import Make

MODELS = """
    from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column

    class Base(DeclarativeBase): pass

    class Ship(Base):
        __tablename__ = "ships"
        id: Mapped[int] = mapped_column(primary_key=True)

    class Port(Base):
        __tablename__ = "ports"
        id: Mapped[int] = mapped_column(primary_key=True)
"""
TOP = "import pytest\nfrom alembic import command\nfrom sqlalchemy import create_engine, text\n"
TOP += "from sqlalchemy_utils import create_database\nimport psycopg\nfrom app.models import Base\n\n"


def conftest(code: str, **more: str) -> dict[str, str]:
    files = {"app/__init__.py": "", "app/models.py": MODELS, "tests/conftest.py": TOP + textwrap.dedent(code)}
    return {**files, **{name.replace("__", "/") + ".py": text for name, text in more.items()}}


CREATING = {
    "a fixture": """
        @pytest.fixture(scope="session")
        def database(server):
            with server.connect() as connection:
                connection.execute(text("CREATE DATABASE ships"))
    """,
    "SQLAlchemy-Utils": """
        @pytest.fixture(scope="session", autouse=True)
        def database():
            create_database("postgresql://localhost/ships")
    """,
    "a hook": """
        def pytest_sessionstart(session):
            with server.connect() as connection:
                connection.execute(text("DROP DATABASE IF EXISTS ships"))
    """,
}


@pytest.mark.parametrize("code", CREATING.values(), ids=CREATING)
def test_databases_that_are_created(project_of: Make, code: str):
    """A database that the suite creates is a note without Crucible, and refused with it."""
    [finding] = project_of(conftest(code)).found("creates-database")
    assert (finding.severity, finding.file) == ("note", "tests/conftest.py")
    assert "creates or drops a database" in finding.found
    [finding] = project_of(conftest(code), on=True).found("creates-database")
    assert finding.severity == "error"
    assert "permission denied to create database" in finding.why


NOT_CREATING = {
    "a function of another name space": """
        @pytest.fixture
        def pages(client):
            return client.create_database("pages")
    """,
    "a docstring": '''
        @pytest.fixture
        def database():
            """Create database rows."""
    ''',
    "a test": """
        def test_it(connection):
            connection.execute("CREATE DATABASE ships")
    """,
    "another dialect": """
        @pytest.fixture
        def database():
            create_database("mysql://localhost/ships")
    """,
}


@pytest.mark.parametrize("code", NOT_CREATING.values(), ids=NOT_CREATING)
def test_databases_that_are_not_created(project_of: Make, code: str):
    """Other functions of such a name, other servers, and what tests do are no findings."""
    assert project_of(conftest(code), on=True).found("creates-database") == []


def test_a_raw_driver_is_not_redirected(project_of: Make):
    """A database that a raw driver creates, on a server of the suite's, is a note: nothing refuses it."""
    code = """
        @pytest.fixture(scope="session")
        def database():
            psycopg.connect("dbname=postgres", autocommit=True).execute("CREATE DATABASE ships")
    """
    [finding] = project_of(conftest(code), on=True).found("creates-database")
    assert finding.severity == "note"


PER_TEST = {
    "create and drop": (
        "creates and drops all tables for each test.",
        """
        @pytest.fixture(autouse=True)
        def tables(engine):
            Base.metadata.create_all(engine)
            yield
            Base.metadata.drop_all(engine)
        """,
    ),
    "on request, over a connection": (
        "creates and drops all tables for each test that requests it.",
        """
        @pytest.fixture
        async def tables(engine):
            async with engine.begin() as connection:
                await connection.run_sync(Base.metadata.drop_all)
                await connection.run_sync(Base.metadata.create_all)
        """,
    ),
    "a hook": (
        "drops all tables for each test.",
        """
        def pytest_runtest_teardown(item):
            Base.metadata.drop_all(engine)
        """,
    ),
}


@pytest.mark.parametrize(("words", "code"), PER_TEST.values(), ids=PER_TEST)
def test_tables_for_each_test(project_of: Make, words: str, code: str):
    """Tables that are made for each test cost time by their number, and a fresh clone under Crucible."""
    [finding] = project_of(conftest(code)).found("schema-per-test")
    assert finding.severity == "warning"
    assert finding.found.endswith(words)
    assert finding.why == "With 2 tables that takes about 0.01 seconds for each test."
    [finding] = project_of(conftest(code), on=True).found("schema-per-test")
    assert finding.severity == "warning"
    assert "a fresh clone follows" in finding.why


def test_tables_beside_a_value(project_of: Make):
    """A fixture that makes the tables and yields a value keeps its yield."""
    code = """
        @pytest.fixture
        def maker(engine):
            Base.metadata.create_all(engine)
            yield sessionmaker(engine)
            Base.metadata.drop_all(engine)
    """
    words = "elete the lines that create and drop the tables, and keep the yield"
    for on in (False, True):
        [finding] = project_of(conftest(code), on=on).found("schema-per-test")
        assert words in finding.do


def test_methods_of_unittest(project_of: Make):
    """A method that makes the tables for each test of a class is found as a fixture is."""
    test = """
import unittest
from app.models import Base
class Case(unittest.TestCase):
    def setUp(self):
        Base.metadata.create_all(self.engine)
"""
    [finding] = project_of(conftest("", tests__test_it=test), on=True).found("schema-per-test")
    assert finding.found == "The method Case.setUp creates all tables for each test."
    assert finding.do.startswith("Delete the lines that create the tables: the template contains the schema")


MIGRATES = """
    @pytest.fixture
    def migrated(config):
        command.upgrade(config, "head")
"""
REVISIONS = {
    "alembic.ini": "[alembic]\nscript_location = migrations\n",
    "migrations/env.py": "",
    **{f"migrations/versions/{n:02}.py": f"revision = '{n}'\ndown_revision = None\n" for n in range(20)},
}


def test_migrations_for_each_test(project_of: Make):
    """Migrations that run for each test cost time by the number of revisions."""
    files = conftest(MIGRATES, tests__test_ships="def test_it(migrated): ...\n")
    [finding] = project_of({**files, **REVISIONS}).found("schema-per-test")
    assert finding.found == "The fixture migrated runs the migrations for each test that requests it."
    assert finding.why == "With 20 revisions that takes about 1.50 seconds for each test."


def test_migrations_that_the_template_has_run(project_of: Make):
    """Migrations that find their template at its head are a note."""
    extra = 'crucible_alembic = "alembic.ini"\n'
    files = conftest(MIGRATES, tests__test_ships="def test_it(migrated): ...\n")
    [finding] = project_of({**files, **REVISIONS}, extra=extra).found("schema-per-test")
    assert finding.severity == "note"
    assert "The template contains them already" in finding.why


def test_migrations_that_are_taken_back(project_of: Make):
    """Migrations that are taken back after each test leave nothing of the template, and cost a fresh clone."""
    code = MIGRATES + '        yield\n        command.downgrade(config, "base")\n'
    files = conftest(code, tests__test_ships="def test_it(migrated): ...\n")
    [finding] = project_of({**files, **REVISIONS}, extra='crucible_alembic = "alembic.ini"\n').found("schema-per-test")
    assert finding.severity == "warning"
    assert finding.found == "The fixture migrated runs the migrations up and down for each test that requests it."
    assert finding.why.startswith("With 20 revisions that takes about 1.50 seconds for each test.")
    assert "a fresh clone follows" in finding.why


NOT_PER_TEST = {
    "once for the session": """
        @pytest.fixture(scope="session")
        def tables(engine):
            Base.metadata.create_all(engine)
    """,
    "some tables": """
        @pytest.fixture
        def tables(engine):
            Base.metadata.create_all(engine, tables=[extra])
    """,
    "another library": """
        @pytest.fixture
        def pages(client):
            client.create_all()
    """,
    "another dialect": """
        @pytest.fixture
        def tables():
            Base.metadata.create_all(create_engine("sqlite://"))
    """,
}


@pytest.mark.parametrize("code", NOT_PER_TEST.values(), ids=NOT_PER_TEST)
def test_schemas_that_are_not_made_for_each_test(project_of: Make, code: str):
    """A schema of the session, single tables, and tables of another database are no findings."""
    assert project_of(conftest(code), on=True).found("schema-per-test") == []


def test_a_fixture_of_tests_of_migrations(project_of: Make):
    """Tests of migrations run them, and that is no finding."""
    files = conftest(MIGRATES, tests__test_migrations="def test_it(migrated): ...\n")
    assert project_of({**files, **REVISIONS}).found("schema-per-test") == []


def test_an_application_on_another_dialect(project_of: Make):
    """Tables of an application whose engine speaks SQLite are no finding."""
    files = conftest(PER_TEST["create and drop"][1])
    files["app/database.py"] = "from sqlalchemy import create_engine\nengine = create_engine('sqlite:///ships.db')\n"
    assert project_of(files).found("schema-per-test") == []
