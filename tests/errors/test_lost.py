"""What a user meets when the server or the database goes away in the middle of a run."""

from __future__ import annotations

import contextlib
import re
import time
from pathlib import Path

import psutil
import psycopg
import pytest

from pytest_crucible.server import Address

HEAD = """
import os
import signal
import threading
import time

import psycopg
import pytest
import pytest
from sqlalchemy import func, select, text

from app import Session, User

"""
TWO = """

def test_without():
    "A test that needs no database is none the worse for it."

async def test_next(db_session):
    assert await db_session.scalar(select(func.count()).select_from(User)) == 0

async def test_last(db_session):
    assert await db_session.scalar(select(func.count()).select_from(User)) == 0
"""


def left_behind(address: Address) -> list[str]:
    """Return the databases of runs, and who is connected to them."""
    with psycopg.connect(**address.libpq(), autocommit=True) as connection:
        found = connection.execute(
            "SELECT datname FROM pg_database WHERE starts_with(datname, 'crucible_w_')"
            " UNION ALL SELECT datname FROM pg_stat_activity WHERE starts_with(datname, 'crucible_w_')"
        )
        return [name for (name,) in found]


def gone(data: Path) -> bool:
    """Whether the data directory and every process that works in it are gone, soon."""
    deadline = time.monotonic() + 5
    while time.monotonic() < deadline:
        working = [process for process in psutil.process_iter(["cwd"]) if process.info["cwd"] == str(data)]
        if not working and not data.exists():
            return True
        time.sleep(0.05)
    return False


def test_a_database_that_is_dropped_under_us(project, project_server):
    """The test after whose end it is missed says which database, probably by whom, and what to do."""
    result = project.run(
        HEAD
        + """
async def test_first(db_session, crucible_run):
    await db_session.execute(text("SELECT 1"))
    await db_session.close()
    with psycopg.connect(**crucible_run.worker.server.connect().address.libpq(), autocommit=True) as connection:
        connection.execute(f"DROP DATABASE {crucible_run.worker.main.name} WITH (FORCE)")
"""
        + TWO
    )
    result.stdout.re_match_lines(
        [
            r".*ERROR at teardown of test_first.*",
            r"E .*ServerError: The worker database crucible_w_.* was lost.*",
            r".*something dropped the database.*",
            r".*Run the tests again.*",
        ]
    )
    result.assert_outcomes(passed=2, failed=2, errors=1)
    assert left_behind(project_server[1].admin) == []


@pytest.mark.parametrize("reset", [1, 2])
def test_a_reset_that_cannot_be_sent(project, project_server, reset, monkeypatch):
    """The test after whose end the connection is found closed says so, also where that reset comes with more."""
    monkeypatch.setattr("pytest_crucible.control.reset.SWEEP_EVERY", reset)
    result = project.run(
        HEAD
        + """
async def test_before(db_session):
    await db_session.execute(text("SELECT 1"))

async def test_first(db_session, crucible_run):
    await db_session.execute(text("SELECT 1"))
    await db_session.close()
    with psycopg.connect(**crucible_run.worker.server.connect().address.libpq(), autocommit=True) as connection:
        pid = crucible_run.worker.main.connect().pid
        connection.execute("SELECT pg_terminate_backend(%s, 2000)", [pid])

def test_last():
    pass
"""
    )
    result.stdout.re_match_lines([r".*ERROR at teardown of test_first.*", r"E .*ServerError: .* was lost.*"])
    result.assert_outcomes(passed=3, errors=1)
    assert left_behind(project_server[1].admin) == []


@pytest.mark.slow
def test_a_server_that_dies(own_project):
    """Each test that needs it says so, at once; nothing is left of it."""
    began = time.monotonic()
    result = own_project.run(
        HEAD
        + """
async def test_first(db_session, crucible_run):
    await db_session.execute(text("SELECT 1"))
    with psycopg.connect(**crucible_run.worker.server.connect().address.libpq()) as connection:
        data = connection.execute("SHOW data_directory").fetchone()[0]
    print("data:", data)
    with open(f"{data}/postmaster.pid") as file:
        os.kill(int(file.readline()), signal.SIGKILL)
    time.sleep(0.3)
"""
        + TWO,
        "-s",
        process=True,
    )
    assert time.monotonic() - began < 30
    result.assert_outcomes(passed=2, failed=2, errors=1)
    result.stdout.re_match_lines([r"E .*ServerError: .*", r".*The server died.*", r".*Run the tests again.*"])
    data = Path(re.search("data: (.*)", str(result.stdout))[1])
    assert gone(data)


@pytest.mark.slow
def test_too_many_connections(own_project, own_server):
    """Where the server has no connection left for Crucible, the error says who takes them and what to change."""
    address = own_server.admin
    with contextlib.ExitStack() as held:
        with contextlib.suppress(psycopg.OperationalError):
            while True:
                held.enter_context(psycopg.connect(**address.libpq()))
        result = own_project.run(HEAD + TWO)
    result.assert_outcomes(passed=1, failed=2)
    result.stdout.re_match_lines(
        [
            r"E .*ServerError: PostgreSQL has no connection left: .*",
            r".*All of max_connections are in use.*",
            r".*Use smaller pools in tests.*",
        ]
    )
    assert left_behind(address) == []


@pytest.mark.slow
def test_a_thread_that_never_stops(project, project_server, monkeypatch):
    """A thread that goes on working after the test is cut off again and again, and the next test starts clean."""
    monkeypatch.setattr("pytest_crucible.isolation.database_reset.ATTEMPTS", 5)  # each takes a fifth of a second
    result = project.run(
        HEAD
        + """
workers = []
stop = threading.Event()

def work(url):
    while not stop.is_set():
        try:
            with psycopg.connect(url, autocommit=False) as connection:
                connection.execute("INSERT INTO users (name) VALUES (md5(random()::text))")
                stop.wait(0.2)
                connection.rollback()
        except psycopg.Error:
            pass

def test_busy(database_url):
    workers.extend(threading.Thread(target=work, args=(database_url,)) for _ in range(3))
    for thread in workers:
        thread.start()
    time.sleep(0.1)

async def test_meanwhile(db_session):
    assert await db_session.scalar(select(func.count()).select_from(User)) == 0
    stop.set()
    for thread in workers:
        thread.join()

async def test_last(db_session):
    assert await db_session.scalar(select(func.count()).select_from(User)) == 0
"""
    )
    assert result.parseoutcomes()["passed"] == 3
    # Which of the two is a matter of how fast the threads come back.
    assert re.search(
        "LeakWarning: The test left a transaction open|ResetError: The worker database", str(result.stdout)
    )
    assert left_behind(project_server[1].admin) == []
