"""SQL scripts and callables make the schema on a server of the user's, as the role in its URL."""

from __future__ import annotations

import pytest

from pytest_crucible.server.embedded.binaries import psql

CONFIGURATION = """
[tool.pytest]
asyncio_default_fixture_loop_scope = "function"
crucible_schema = ["schema.sql", "schema:build"]
"""
BUILD = """
import subprocess

import pytest_crucible
from sqlalchemy import create_engine


@pytest_crucible.reads()
def build(url, connection):
    subprocess.run([PSQL, "-Xq", "-c", "CREATE TABLE toys (id int)", url], check=True)
    connection.exec_driver_sql("INSERT INTO pets VALUES (1)")
"""
TEST = """
from sqlalchemy import text


def test_it(sync_session):
    assert sync_session.execute(text("SELECT id, current_user::text FROM pets")).all() == [(1, "keeper")]
    assert sync_session.execute(text("SELECT id FROM toys")).all() == []
"""


@pytest.fixture
def run(external, role, pytester, monkeypatch, tmp_path):
    """Run the project against the server, as a role with a password."""
    monkeypatch.setenv("CRUCIBLE_CACHE", str(tmp_path))
    monkeypatch.setenv("PGHOST", "db.production.invalid")
    name = role("keeper", "CREATEDB PASSWORD 's3cr3t'")
    url = external.url(name).replace("@", ":s3cr3t@")
    pytester.path.joinpath("pyproject.toml").write_text(CONFIGURATION)
    pytester.path.joinpath("schema.py").write_text(BUILD.replace("PSQL", repr(psql())))
    pytester.path.joinpath("test_it.py").write_text(TEST)

    def go(text):
        pytester.path.joinpath("schema.sql").write_text(text)
        return pytester.runpytest_inprocess("-p", "no:cacheprovider", f"--crucible-server={url}")

    return go


def test_they_run_there(run):
    """Scripts, a program with the URL, and the connection lead to the template on that server."""
    run("CREATE TABLE pets (id int);").assert_outcomes(passed=1)


def test_a_dump_of_a_newer_server(run):
    """A parameter that the older server does not know is named with its line and the probable cause."""
    result = run("CREATE TABLE pets (id int);\nSET transaction_timeout = 0;\n")
    result.assert_outcomes(failed=1)
    result.stdout.fnmatch_lines(["*schema.sql, line 2: unrecognized configuration parameter*", "*a newer pg_dump*"])
    assert "s3cr3t" not in result.stdout.str()


def test_another_database(run, external):
    """A script that creates a database, as the role could, is refused before it does."""
    result = run("CREATE TABLE pets (id int);\nCREATE DATABASE left_over;\n")
    result.assert_outcomes(failed=1)
    result.stdout.fnmatch_lines("*schema.sql, line 2, creates, drops or enters a database*")
    assert "left_over" not in external.databases()
