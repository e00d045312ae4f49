"""A test that waits for a row that it holds itself."""

from __future__ import annotations

import re

import pytest

HEAD = """
import asyncio
import threading
import time

import pytest
from sqlalchemy import func, select, text

import app as module
from app import Session, User


@pytest.fixture(autouse=True)
def impatient(crucible_run):
    crucible_run.isolation.watchdog.limit = 0.4


async def nothing_is_left(db_session):
    assert await db_session.scalar(select(func.count()).select_from(User)) == 0

"""
UNTIL = """
import time

from sqlalchemy import text


def until(met):
    end = time.monotonic() + 30
    while not met():
        assert time.monotonic() < end
        time.sleep(0.01)

"""
LAST = """

async def test_last(db_session):
    await nothing_is_left(db_session)
"""


def show(result: pytest.RunResult) -> str:
    return "\n".join(result.outlines)


def test_a_row_that_the_test_only_flushed(project):
    """The application's insert waits for the test's row: both statements, both places, and what to write."""
    result = project.run(
        HEAD
        + """
async def test_flushed(async_client, db_session):
    db_session.add(User(name="x"))
    await db_session.flush()
    await async_client.post("/users", params={"name": "x"})
"""
        + LAST
    )
    result.assert_outcomes(failed=1, passed=1)
    result.stdout.re_match_lines(
        [
            r"E .*BlockedError: test_\d+.py::test_flushed: a statement waited 0.4 s for a transaction that is idle.*",
            r".*waiting: INSERT INTO users .*",
            r" .*backend \d+, active, opened at .*app.py:\d+ in create \(asyncpg\)",
            r".*for: +INSERT INTO users .*",
            r" .*backend \d+, idle in transaction, opened at .*test_\d+.py:\d+ in test_flushed \(asyncpg\)",
            r".*The waiting statement has been cancelled.",
            r".*Probably the test has flushed a row.*",
            r".*Commit before calling the application: `await db_session.commit\(\)`.",
        ]
    )


@pytest.mark.slow
def test_an_application_that_swallows_the_cancelled_statement(project):
    """The test fails although the application answers, and although nothing in the test is false."""
    result = project.run(
        HEAD
        + """
async def test_swallowed(async_client, db_session):
    db_session.add(User(name="x"))
    await db_session.flush()
    response = await async_client.post("/users/careful", params={"name": "x"})
    assert response.status_code == 500
"""
        + LAST
    )
    result.assert_outcomes(failed=1, passed=1)
    assert "BlockedError" in show(result)


@pytest.mark.slow
def test_a_loop_that_is_blocked(project):
    """A synchronous statement stops the test's event loop, and is cancelled from outside it."""
    result = project.run(
        HEAD
        + """
async def test_blocked_loop(db_session, sync_session):
    db_session.add(User(name="x"))
    await db_session.flush()
    sync_session.add(User(name="x"))
    sync_session.flush()
"""
        + LAST
    )
    result.assert_outcomes(failed=1, passed=1)
    result.stdout.re_match_lines([r" .*backend \d+, active, opened at .* in test_blocked_loop \(psycopg\)"])


@pytest.mark.slow
def test_a_fixture_that_waits_before_the_test(project):
    """A fixture's set-up that waits is an error of that phase."""
    result = project.run(
        HEAD
        + """
@pytest.fixture
async def flushed(db_session):
    db_session.add(User(name="x"))
    await db_session.flush()

@pytest.fixture
async def waiting(flushed, async_client):
    await async_client.post("/users", params={"name": "x"})

async def test_never_runs(waiting):
    raise AssertionError
"""
        + LAST
    )
    result.assert_outcomes(errors=1, passed=1)
    result.stdout.re_match_lines([r".*ERROR at setup of test_never_runs.*", r"E .*BlockedError.*"])


@pytest.mark.slow
def test_a_fixture_that_waits_after_the_test(project):
    """A fixture's teardown that waits is an error of that phase, and the database is put back all the same."""
    result = project.run(
        HEAD
        + """
@pytest.fixture
def clean(sync_session):
    yield
    sync_session.execute(text("LOCK users"))

async def test_flushed(db_session, clean):
    db_session.add(User(name="x"))
    await db_session.flush()
"""
        + LAST
    )
    result.assert_outcomes(errors=1, passed=2)
    result.stdout.re_match_lines([r".*ERROR at teardown of test_flushed.*", r"E .*BlockedError.*"])


@pytest.mark.slow
def test_a_queue_behind_a_flushed_row(project):
    """Every backend in the queue is cancelled at once, and the error names each."""
    result = project.run(
        HEAD
        + """
async def test_queue(db_session, crucible_run):
    watchdog = crucible_run.isolation.watchdog
    watchdog.limit = 60
    db_session.add(User(name="x"))
    await db_session.flush()
    async def lock():
        async with Session() as session:
            await session.execute(text("LOCK users"))
    queue = asyncio.gather(*(lock() for _ in range(4)), return_exceptions=True)
    end = time.monotonic() + 30
    while len(watchdog._watched.seen) < 4 and time.monotonic() < end:
        await asyncio.sleep(0.01)
    watchdog.limit = 0.01  # only now, since all four wait
    await queue
"""
        + LAST
    )
    result.assert_outcomes(failed=1, passed=1)
    assert len(re.findall(r"waiting: LOCK users", show(result))) == 4


@pytest.mark.slow
def test_a_raw_connection_that_holds_the_row(project):
    """A connection past SQLAlchemy is no exception, and the message says that its place is not known."""
    result = project.run(
        HEAD
        + """
async def test_raw(async_client, database_url):
    import asyncpg
    connection = await asyncpg.connect(database_url)
    try:
        await connection.execute("BEGIN")
        await connection.execute("INSERT INTO users (name) VALUES ('x')")
        await async_client.post("/users", params={"name": "x"})
    finally:
        await connection.close()
"""
        + LAST
    )
    result.assert_outcomes(failed=1, passed=1)
    result.stdout.re_match_lines([r" .*backend \d+, idle in transaction, opened by code that Crucible does not see.*"])


ENDING_WAITS = """
@pytest.fixture
async def user(db_session):
    db_session.add(User(id=1, name="x"))
    await db_session.commit()

async def test_queue_moves(user):
    async def turn():
        async with Session() as session:
            await session.execute(text("SELECT FROM users FOR UPDATE"))
            for _ in range(3):
                await asyncio.sleep(0.05)
                await session.execute(text("SELECT 1"))
            await session.commit()
    await asyncio.gather(*(turn() for _ in range(5)))

async def test_lock_timeout(user, db_session):
    from sqlalchemy.exc import DBAPIError
    await db_session.execute(text("UPDATE users SET name = 'y'"))
    async with Session() as session:
        await session.execute(text("SET LOCAL lock_timeout = 200"))
        with pytest.raises(DBAPIError, match="lock timeout"):
            await session.execute(text("UPDATE users SET name = 'z'"))

async def test_wait_for(user, db_session):
    await db_session.execute(text("UPDATE users SET name = 'y'"))
    async with Session() as session:
        with pytest.raises(asyncio.TimeoutError):
            await asyncio.wait_for(session.execute(text("UPDATE users SET name = 'z'")), 0.2)

async def test_busy_blocker(user, db_session):
    await db_session.execute(text("UPDATE users SET name = 'y'"))
    async def write():
        async with Session() as session:
            await session.execute(text("UPDATE users SET name = 'z'"))
            await session.commit()
    task = asyncio.create_task(write())
    await db_session.execute(text("SELECT pg_sleep(0.6)"))
    await db_session.commit()
    await task

async def test_advisory_lock(db_session):
    holder = await db_session.connection()
    await db_session.execute(text("SELECT pg_advisory_lock(1)"))
    await db_session.commit()
    async def wait():
        async with Session() as session:
            await session.execute(text("SELECT pg_advisory_xact_lock(1)"))
    task = asyncio.create_task(wait())
    await asyncio.sleep(0.6)
    await db_session.execute(text("SELECT pg_advisory_unlock(1)"))
    await db_session.commit()
    await task
"""


@pytest.mark.slow
def test_waits_that_end_by_themselves(project):
    """Untouched: a queue of FOR UPDATE that moves, a lock_timeout, a wait_for, a short wait, a busy blocker."""
    result = project.run(HEAD + ENDING_WAITS + LAST)
    result.assert_outcomes(passed=6)


@pytest.mark.slow
def test_what_it_costs(project):
    """No connection and no query before a test has run for a second, and none once it is over."""
    result = project.run(
        UNTIL
        + """
def connected(crucible_run):
    return crucible_run.isolation.watchdog._connection is not None

def test_short(sync_session, crucible_run):
    sync_session.execute(text("SELECT 1"))
    time.sleep(0.3)
    assert not connected(crucible_run)

def test_long(sync_session, crucible_run):
    sync_session.execute(text("SELECT 1"))
    until(lambda: connected(crucible_run))
    assert crucible_run.isolation.watchdog._watched.age >= 1

def test_after(sync_session, crucible_run):
    until(lambda: not connected(crucible_run))
"""
    )
    result.assert_outcomes(passed=3)


def test_a_server_that_is_gone(project):
    """A watchdog that cannot ask says nothing: the tests meet the same server."""
    result = project.run(
        UNTIL
        + """
def test_cut_off(sync_session, crucible_run):
    watchdog = crucible_run.isolation.watchdog
    sync_session.execute(text("SELECT 1"))
    watchdog.limit = 0.4
    until(lambda: watchdog._connection is not None)
    first = watchdog._connection
    crucible_run.worker.connect().terminate([first.info.backend_pid])
    until(lambda: watchdog._connection not in (None, first))
""",
        "-Werror",
    )
    result.assert_outcomes(passed=1)
