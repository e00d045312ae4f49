"""The password of an external server: in no output, no list of processes, and no traceback."""

from __future__ import annotations

import os
import signal

import pytest

from pytest_crucible.cli import main
from pytest_crucible.errors import CrucibleError
from pytest_crucible.server import lease

SECRET = "s3cr3t%2Fw0rd"
WORDS = ("s3cr3t", "w0rd")

SUITE = """
import asyncio
import psycopg
import pytest
from sqlalchemy import create_engine, text
from sqlalchemy.ext.asyncio import create_async_engine

SUPERUSER = {superuser!r}
URLS = [f"postgresql+{{driver}}://app@db.production.invalid/app" for driver in ("psycopg", "psycopg2", "asyncpg")]

def limit(number):
    with psycopg.connect(SUPERUSER, autocommit=True) as connection:
        connection.execute(f"ALTER ROLE spender CONNECTION LIMIT {{number}}")

def test_a_url_of_the_tests(database_url, crucible):
    address, other = crucible.worker.address(), crucible.url("postgresql+asyncpg")
    assert database_url is None

def test_the_run(crucible_run):
    settings, worker, admin = crucible_run.settings, crucible_run.worker, crucible_run.worker.server.connect()
    leased, server = worker.server.lease(), settings.server
    assert not admin

@pytest.mark.parametrize("url", URLS)
def test_refused(url, crucible_run):
    crucible_run.worker.ready()
    limit(1)
    try:
        if "asyncpg" in url:
            async def connect():
                async with create_async_engine(url).connect(): pass
            asyncio.run(connect())
        else:
            create_engine(url).connect()
    finally:
        limit(-1)

def test_no_control_connection(crucible_run):
    from pytest_crucible.control import connect
    connect(crucible_run.worker.server.connect().address.to("no_such_database"))
"""


@pytest.fixture
def url(external, role):
    """Return the URL of a role, with a password that must not be seen."""
    return external.url(role("spender")).replace("spender@", f"spender:{SECRET}@")


def shown(text):
    return [line for line in text.splitlines() if any(word in line for word in WORDS)]


@pytest.mark.parametrize("trace", [(), pytest.param(("--full-trace",), marks=pytest.mark.slow)])
def test_no_traceback_shows_it(project, external, url, monkeypatch, trace):
    """With --showlocals pytest prints the variables of each frame: of tests, of Crucible, of SQLAlchemy, of drivers."""
    monkeypatch.setenv("CRUCIBLE_SERVER", url)
    superuser = f"host={external.folder} port={external.port} user=postgres dbname=postgres"
    result = project.run(SUITE.format(superuser=superuser), "--showlocals", *trace, "-p", "no:randomly")
    result.assert_outcomes(failed=6)
    output = result.stdout.str() + result.stderr.str()
    assert output.count("too many connections for role") >= 3
    assert shown(output) == []
    assert "spender:***@" in output


WRONG = [
    "host=127.0.0.1 user=spender password='s3cr3t w0rd'",
    "postgres//spender:s3cr3t/w0rd@127.0.0.1/postgres",
    "spender:s3cr3t:w0rd@127.0.0.1",
    "mysql://spender:s3cr3tw0rd@127.0.0.1/x",
    "postgresql://spender:s3cr3t/w0rd@127.0.0.1/x",
    "postgresql://spender:123/w0rd@127.0.0.1/x",
    "postgresql://spender:123?w0rd=s3cr3t@127.0.0.1/x",
    "postgresql://spender:s3cr3t#w0rd@127.0.0.1/x",
    "postgresql://spender:s3cr3t[w0rd@127.0.0.1/x",
    "postgresql://spender:s3cr3t w0rd@127.0.0.1:1/x",
    "postgresql://127.0.0.1:1/x?user=spender&password=s3cr3tw0rd",
    "postgresql://spender:s3cr3t\u2100w0rd@127.0.0.1:1/x",
]


@pytest.mark.parametrize("spec", WRONG)
def test_no_error_shows_it(spec, tmp_path, capsys):
    """A server that is misspelt or cannot be reached is named without its password."""
    with pytest.raises(CrucibleError) as caught:
        lease(spec, root=tmp_path)
    assert shown(str(caught.value)) == []
    assert main(["templates", "--server", spec, "--root", str(tmp_path)]) == 1
    assert shown("".join(capsys.readouterr())) == []


@pytest.mark.slow
@pytest.mark.parametrize("spec", WRONG)
def test_no_run_shows_it(project, spec, monkeypatch):
    """Neither does pytest, with the variables of all frames."""
    monkeypatch.setenv("CRUCIBLE_SERVER", spec)
    result = project.run("def test_it(sync_session): sync_session.connection()", "--showlocals", "--full-trace")
    assert result.ret != 0
    assert shown(result.stdout.str() + result.stderr.str()) == []


def test_no_list_of_processes_shows_it(external, url, capfd):
    """The command hands it to psql in the environment; psql's arguments are for every user of the machine to see."""
    external.execute("CREATE DATABASE crucible_k_test_it_01234567_ci OWNER spender CONNECTION LIMIT 1668445539")
    words = ["-Atc", r"\! tr '\0' ' ' < /proc/$PPID/cmdline; echo; echo got $PGPASSWORD", "-c", "SELECT current_user"]
    assert main(["psql", "--server", url, "--last", *words]) == 0
    arguments, password, user = capfd.readouterr().out.splitlines()
    assert "spender@127.0.0.1" in arguments
    assert shown(arguments) == []
    assert (password, user) == ("got s3cr3t/w0rd", "spender")


def test_no_command_prints_it(url, monkeypatch, capsys):
    """`crucible server` names the server without it, and the help of a command its default."""
    monkeypatch.setenv("CRUCIBLE_SERVER", url)
    monkeypatch.setattr(signal, "pthread_sigmask", lambda *_: None)
    monkeypatch.setattr(signal, "sigwait", lambda _: None)
    assert main(["server"]) == 0
    with pytest.raises(SystemExit):
        main(["server", "--help"])
    output = capsys.readouterr().out
    assert shown(output) == []
    assert "postgresql://spender@127.0.0.1" in output
    assert "spender:***@" in output.replace("\n", "").replace(" ", "")
    assert os.environ["CRUCIBLE_SERVER"] == url
