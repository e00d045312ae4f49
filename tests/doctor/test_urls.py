"""Where URLs lead."""

import pytest

from pytest_crucible.doctor.urls import is_local

from .conftest import Make

POSTGRES = """
    from sqlalchemy import create_engine

    engine = create_engine("postgresql+psycopg://localhost/app"{more})
"""


@pytest.mark.parametrize(
    ("file", "text"),
    [
        ("tests/conftest.py", 'os.environ["DATABASE_URL"] = "sqlite:///test.db"\n'),
        ("tests/conftest.py", 'engine = create_engine("sqlite://", poolclass=StaticPool)\n'),
        ("tests/conftest.py", 'URL = "sqlite+aiosqlite:///:memory:"\n'),
        ("tests/test_it.py", 'URL = f"sqlite:///{name}.db"\n'),
        (".env", "DATABASE_URL=sqlite:///./test.db\n"),
        (".env.test", 'export DATABASE_URL="sqlite://"\n'),
    ],
)
def test_sqlite_in_place_of_postgresql(project_of: Make, file: str, text: str):
    """SQLite in tests, or in a .env, of an application on PostgreSQL."""
    [finding] = project_of({file: text}).found("sqlite-stand-in")
    assert (finding.file, finding.line, finding.severity) == (file, 1, "warning")
    assert "fails in production" in finding.why


def test_an_application_on_sqlite(project_of: Make):
    """Where nothing speaks of PostgreSQL, SQLite stands in for nothing."""
    files = {"pyproject.toml": "[tool.pytest]\n", "tests/conftest.py": 'URL = "sqlite://"\n'}
    assert project_of(files).found("sqlite-stand-in") == []


def test_sqlite_in_words_and_examples(project_of: Make):
    """A docstring that speaks of SQLite, a list of wrong values, and an example of a .env are no URL in use."""
    files = {
        "tests/test_it.py": '"""Not sqlite:// here."""\n\nfor wrong in ["sqlite://", "mysql://"]:\n    check(wrong)\n',
        ".env.example": "DATABASE_URL=sqlite://\n",
    }
    assert project_of(files).found("sqlite-stand-in") == []


@pytest.mark.parametrize(
    ("text", "host"),
    [
        ("DATABASE_URL=postgresql+asyncpg://app:secret@db.example.com:5432/app\n", "db.example.com"),
        ("DATABASE_URL='postgres://app:s%40crt@10.0.3.7/app'\n", "10.0.3.7"),
        ("POSTGRES_HOST=prod.c1x.eu-west-1.rds.amazonaws.com\n", "prod.c1x.eu-west-1.rds.amazonaws.com"),
        ("DB_HOST = prod.internal\n", "prod.internal"),
    ],
)
def test_an_env_file_that_leads_to_production(project_of: Make, text: str, host: str):
    """A .env with the host of another machine; its password is not shown."""
    [finding] = project_of({".env": f"# settings\n{text}"}).found("production-url")
    assert (finding.file, finding.line, finding.severity) == (".env", 2, "warning")
    assert host in finding.found
    assert "secret" not in str(finding)


def test_with_crucible_production_is_a_note(project_of: Make):
    """Crucible leads engines away from it; code without SQLAlchemy still reads it."""
    [finding] = project_of({".env": "DATABASE_URL=postgresql://db.example.com/app\n"}, on=True).found("production-url")
    assert finding.severity == "note"
    assert "crucible_url_env" in finding.do


def test_a_default_that_leads_to_production(project_of: Make):
    """The default of the settings is what a test without Crucible connects to."""
    files = {
        "app/settings.py": """
            from pydantic_settings import BaseSettings

            class Settings(BaseSettings):
                database_url: str = "postgresql+psycopg://app@db.example.com/app"

            settings = Settings()
        """,
        "app/db.py": """
            from sqlalchemy import create_engine
            from app.settings import settings

            engine = create_engine(settings.database_url)
        """,
    }
    [finding] = project_of(files).found("production-url")
    assert (finding.file, finding.line) == ("app/db.py", 5)
    assert project_of(files, on=True).found("production-url") == []


def test_alembic_s_configuration(project_of: Make):
    """alembic.ini may name a host too."""
    text = "[alembic]\nscript_location = migrations\nsqlalchemy.url = postgresql://app:s@db.example.com/app\n"
    [finding] = project_of({"alembic.ini": text}).found("production-url")
    assert (finding.file, finding.line) == ("alembic.ini", 3)


@pytest.mark.parametrize(
    "host",
    [
        "",
        "localhost",
        "127.0.0.1",
        "::1",
        "db",
        "postgres",
        "0.0.0.0",  # noqa: S104 - nobody listens
        "db.production.invalid",
        "db.test",
        "app.localhost",
        "host.docker.internal",
        "${DB_HOST}",
        "%(host)s",
        "/var/run/postgresql",
    ],
)
def test_hosts_that_are_near(host: str):
    """This machine, a container beside it, reserved names and placeholders are not production."""
    assert is_local(host)


@pytest.mark.parametrize("host", ["10.1.2.3", "db.example.com", "prod.internal", "2001:db8::1", "192.168.0.7"])
def test_hosts_that_are_far(host: str):
    """Everything else is another machine."""
    assert not is_local(host)


def test_an_engine_with_a_creator(project_of: Make):
    """creator= goes past the dialect: an error with Crucible, a note without."""
    files = {"app/db.py": POSTGRES.format(more=", creator=connect")}
    [finding] = project_of(files, on=True).found("engine-creator")
    assert (finding.file, finding.line, finding.severity) == ("app/db.py", 4, "error")
    [finding] = project_of(files).found("engine-creator")
    assert finding.severity == "note"


def test_an_engine_without_a_creator(project_of: Make):
    """An engine that connects through its dialect is well; so is SQLite's own."""
    sqlite = 'create_engine("sqlite://", creator=connect)'
    files = {"app/db.py": POSTGRES.format(more=""), "app/cache.py": f"from sqlalchemy import *\ne = {sqlite}\n"}
    assert project_of(files, on=True).found("engine-creator") == []
