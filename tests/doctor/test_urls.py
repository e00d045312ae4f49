"""Where URLs lead."""

import pytest

from pytest_crucible.doctor.checks.urls import is_local

from .conftest import Make

POSTGRES = """
    from sqlalchemy import create_engine

    engine = create_engine("postgresql+psycopg://localhost/app"{more})
"""


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
    [finding] = project_of({".env": f"# settings\n{text}"}, on=True).found("production-url")
    assert (finding.file, finding.line, finding.severity) == (".env", 2, "note")
    assert host in finding.found
    assert "secret" not in str(finding)
    assert "crucible_url_env" in finding.do


def test_alembic_s_configuration(project_of: Make):
    """alembic.ini may name a host too."""
    text = "[alembic]\nscript_location = migrations\nsqlalchemy.url = postgresql://app:s@db.example.com/app\n"
    [finding] = project_of({"alembic.ini": text}, on=True).found("production-url")
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
    """creator= goes past the dialect, which is an error where Crucible is configured."""
    files = {"app/db.py": POSTGRES.format(more=", creator=connect")}
    [finding] = project_of(files, on=True).found("engine-creator")
    assert (finding.file, finding.line, finding.severity) == ("app/db.py", 4, "error")
    assert "engine-creator" not in project_of(files).codes()


def test_an_engine_without_a_creator(project_of: Make):
    """An engine that connects through its dialect is well; so is one that no literal says to be for PostgreSQL."""
    others = "from sqlalchemy import create_engine\n\ndef make(url):\n    return create_engine({}, creator=connect)\n"
    files = {"app/db.py": POSTGRES.format(more=""), "app/lite.py": others.format('"sqlite://"')}
    files["app/any.py"] = others.format("url")
    assert project_of(files, on=True).found("engine-creator") == []
