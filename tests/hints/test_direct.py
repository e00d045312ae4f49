"""A driver that connects by itself reaches no server of Crucible's, and is told how."""

from __future__ import annotations

TESTS = """
import asyncpg
import psycopg
import psycopg2
import pytest
import socket
from sqlalchemy import create_engine, text

WHERE = {"host": "127.0.0.1", "port": 1, "user": "postgres", "connect_timeout": 2}

def test_psycopg():
    psycopg.connect(**WHERE)

@pytest.fixture(scope="session")
def made():
    psycopg2.connect(**WHERE).cursor().execute("CREATE DATABASE test")

def test_psycopg2(made):
    pass

async def test_asyncpg():
    await asyncpg.connect("postgresql://postgres@127.0.0.1:1/postgres")

def test_something_else():
    socket.create_connection(("127.0.0.1", 1))

def test_an_engine():
    with create_engine("postgresql+psycopg2://app@db.invalid/app").connect() as connection:
        connection.execute(text("SELECT 1/0"))
"""


def test_a_driver_that_connects_by_itself(project):
    """The line that did so is named; nothing is said of other sockets, nor of engines."""
    result = project.run(TESTS, "--tb=native")
    result.assert_outcomes(failed=4, errors=1)
    lines = [line for line in result.outlines if "opened this connection by itself" in line]
    assert len(lines) == 3
    for driver, line, function in (("psycopg", 12, "test_psycopg"), ("psycopg2", 16, "made"), ("asyncpg", 22, "test_")):
        result.stdout.fnmatch_lines_random(
            [f"*; {driver} opened this connection by itself (*.py:{line} in {function}*)."]
        )
    result.stdout.fnmatch_lines(["If that code creates or drops the tests' database, remove it: *"])


INI = "[pytest]\nasyncio_default_fixture_loop_scope = function\ncrucible_metadata = app:Base\n"


def test_the_spelling_of_the_configuration_file(project):
    """The option is written as the configuration file has lists: an ini file's have no brackets."""
    connecting = "import psycopg\ndef test_it(): psycopg.connect('postgresql://postgres@127.0.0.1:1/postgres')\n"
    project.run(connecting).stdout.fnmatch_lines(['*: crucible_url_env = [[]"DATABASE_URL=postgresql"].'])
    (project.root / "pytest.ini").write_text(INI, "utf-8")
    result = project.run(connecting, "-c", str(project.root / "pytest.ini"))
    (project.root / "pytest.ini").unlink()
    result.stdout.fnmatch_lines(["*: crucible_url_env = DATABASE_URL=postgresql."])
