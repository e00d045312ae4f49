"""Transactions that a test leaves open: whose they are, and what becomes of them."""

from __future__ import annotations

import pytest

HEAD = """
import asyncio
import subprocess
import sys
import threading
import time

import pytest
from sqlalchemy import func, select, text

from app import Session, User, engine

kept = []  # what a test leaks lives on here, as it would in an application's global


@pytest.fixture(autouse=True, scope="module")
async def release():
    yield
    for one in kept:
        if hasattr(one, "invalidate"):
            await one.invalidate()


async def users(session):
    return await session.scalar(select(func.count()).select_from(User))


@pytest.fixture
def strangers(crucible_run):
    return crucible_run.worker.connect().others_in_transactions
"""
LAST = """

async def test_last(db_session, strangers):
    assert strangers() == ()
    assert await users(db_session) == 0
    db_session.add(User(name="x"))
    await db_session.commit()
"""
LEAKED = """
async def test_leaky():
    session = Session()
    kept.append(session)
    session.add(User(name="x"))
    await session.flush()
"""


def test_a_session_that_is_not_closed(project):
    """The test that left it gets a warning with the place and the last statement; the next one starts clean."""
    result = project.run(HEAD + LEAKED + LAST)
    result.assert_outcomes(passed=2, warnings=1)
    result.stdout.re_match_lines(
        [r".* opened at .*test_\d+.py:\d+ in test_leaky \(asyncpg\), in a session .*: 'INSERT INTO users .* the test\."]
    )
    result.stdout.re_match_lines(
        [
            r"test_\d+.py::test_leaky",
            r".*LeakWarning: The test left a transaction open that has written: backend \d+, idle in transaction, .*",
            r".*Probably a session or connection that is not closed on every path.",
            r".*Write `async with Session\(\) as session:`.* The transaction has been rolled back.",
        ]
    )


def test_strictness(project):
    """Where the warning is an error, the test that left the transaction open has one; the next test starts clean."""
    result = project.run(HEAD + LEAKED + LAST, "-Werror::pytest_crucible.LeakWarning")
    result.assert_outcomes(passed=2, errors=1)
    result.stdout.re_match_lines([r".*ERROR at teardown of test_leaky.*", r"E .*LeakWarning: The test left .*"])


def test_several_leaks_where_warnings_are_errors(project):
    """Each leak is reported, also after the first has become an error."""
    result = project.run(
        HEAD
        + """
async def test_leaky():
    for name in "ab":
        session = Session()
        kept.append(session)
        session.add(User(name=name))
        await session.flush()
"""
        + LAST,
        "-Werror::pytest_crucible.LeakWarning",
    )
    result.assert_outcomes(passed=2, errors=1)
    assert "2 transactions" in result.stdout.str() or result.stdout.str().count("left a transaction open") >= 2


def test_a_lock_that_nobody_gets_past(project):
    """A leaked ACCESS EXCLUSIVE lock stops neither the reset nor the next test."""
    result = project.run(
        HEAD
        + """
async def test_leaky(db_session):
    db_session.add(User(name="x"))
    await db_session.commit()
    session = Session()
    kept.append(session)
    await session.execute(text("LOCK users IN ACCESS EXCLUSIVE MODE"))
"""
        + LAST
    )
    result.assert_outcomes(passed=2, warnings=1)
    result.stdout.re_match_lines([r".*LeakWarning.*last statement: 'LOCK users IN ACCESS EXCLUSIVE MODE'.*"])


def test_a_raw_connection(project):
    """A connection past SQLAlchemy is ended too; the warning cannot say where it was opened."""
    result = project.run(
        HEAD
        + """
async def test_leaky(database_url):
    import asyncpg
    connection = await asyncpg.connect(database_url)
    kept.append(connection)
    await connection.execute("BEGIN")
    await connection.execute("INSERT INTO users (name) VALUES ('x')")
"""
        + LAST
    )
    result.assert_outcomes(passed=2, warnings=1)
    result.stdout.re_match_lines([r".*LeakWarning.*opened by code that Crucible does not see.*INSERT INTO users.*"])


@pytest.mark.slow
def test_a_subprocess(project):
    """A subprocess that is left running is cut off from the database."""
    result = project.run(
        HEAD
        + """
CODE = '''
import psycopg, sys, time
with psycopg.connect(sys.argv[1]) as connection:
    connection.execute("INSERT INTO users (name) VALUES ('x')")
    print("ready", flush=True)
    time.sleep(60)
'''

def test_leaky(database_url):
    process = subprocess.Popen([sys.executable, "-c", CODE, database_url], stdout=subprocess.PIPE)
    kept.append(process)
    assert process.stdout.readline() == b"ready\\n"

async def test_next(db_session, strangers):
    kept[0].kill()
    kept[0].wait()
    kept[0].stdout.close()
    assert strangers() == ()
    assert await users(db_session) == 0
"""
    )
    result.assert_outcomes(passed=2, warnings=1)
    result.stdout.re_match_lines([r".*LeakWarning.*a subprocess\).*INSERT INTO users.*"])


def test_a_thread_that_is_about_to_commit(project):
    """What ends within the second look is no leak, and is put back."""
    result = project.run(
        HEAD
        + """
def test_busy(sync_session, crucible_run):
    begun = threading.Event()
    def work():
        with crucible_run.sessions.sync_engine.begin() as connection:
            connection.execute(text("INSERT INTO users (name) VALUES ('x')"))
            begun.set()
            time.sleep(0.004)
    thread = threading.Thread(target=work)
    kept.append(thread)
    thread.start()
    begun.wait()

async def test_next(db_session):
    kept[0].join()
    assert await users(db_session) == 0
"""
    )
    result.assert_outcomes(passed=2, warnings=0)


def test_a_task_that_is_about_to_commit(project):
    """A task on a loop that stands still between tests gets its loop for the second look."""
    result = project.run(
        HEAD
        + """
async def test_busy():
    async def work():
        async with Session() as session:
            session.add(User(name="x"))
            await session.flush()
            begun.set()
            await asyncio.sleep(0.004)
            await session.commit()
    begun = asyncio.Event()
    kept.append(asyncio.create_task(work()))
    await begun.wait()

async def test_next(db_session):
    await kept[0]
    assert await users(db_session) == 0
""",
        "-Wignore::pytest_crucible.PendingTaskWarning",  # on a busy machine the commit takes longer than that waits
    )
    result.assert_outcomes(passed=2, warnings=0)


def test_a_transaction_of_a_wider_fixture(project):
    """A module's open transaction is left alone, with its rows, as long as no reset waits for it."""
    result = project.run(
        HEAD
        + """
@pytest.fixture(scope="module")
async def wide():
    async with Session() as session:
        await session.execute(text("CREATE TEMP TABLE mine (x int)"))
        await session.execute(text("INSERT INTO mine VALUES (1)"))
        yield session

@pytest.mark.parametrize("i", range(3))
async def test_wide(wide, db_session, i):
    assert await wide.scalar(text("SELECT count(*) FROM mine")) == 1
    assert await users(db_session) == 0
    db_session.add(User(name="x"))
    await db_session.commit()
""",
        "-Werror",
    )
    result.assert_outcomes(passed=3)


def test_a_transaction_of_a_wider_fixture_that_stands_in_the_way(project):
    """It is ended where the reset could not do its work otherwise, and only then; the message says so."""
    result = project.run(
        HEAD
        + """
@pytest.fixture(scope="module")
async def reader():
    async with Session() as session:
        await session.execute(text("SELECT 1"))
        yield session

@pytest.fixture(scope="module")
async def holder():
    session = Session()
    kept.append(session)
    await session.execute(text("SELECT 1"))
    return session

async def test_writes(db_session, holder, reader):
    db_session.add(User(id=1, name="x"))
    await db_session.commit()
    await holder.execute(text("UPDATE users SET name = 'y'"))

async def test_next(db_session, reader):
    assert await users(db_session) == 0
    assert await reader.scalar(text("SELECT 1")) == 1
"""
    )
    result.assert_outcomes(passed=2, warnings=1)
    result.stdout.re_match_lines([r".*LeakWarning.*UPDATE users SET name.*"])


def test_a_test_s_own_session_is_no_leak(project):
    """`db_session` and `sync_session` are closed before leaks are looked for, whatever they have open."""
    result = project.run(
        HEAD
        + """
async def test_open(db_session, sync_session):
    db_session.add(User(name="x"))
    await db_session.flush()
    sync_session.add(User(name="y"))
    sync_session.flush()
"""
        + LAST,
        "-Werror",
    )
    result.assert_outcomes(passed=2)


@pytest.mark.slow
def test_a_backend_that_starts_has_nothing_open(project):
    """A new backend looks itself up in a transaction before it has a state; it is none that was left open."""
    result = project.run(
        HEAD
        + """
import psycopg

def test_connecting(database_url, strangers):
    stop = threading.Event()

    def connect():
        while not stop.is_set():
            psycopg.connect(database_url, autocommit=True).close()

    threads = [threading.Thread(target=connect) for _ in range(4)]
    for thread in threads:
        thread.start()
    try:
        found = [strangers() for _ in range(1500)]
    finally:
        stop.set()
        for thread in threads:
            thread.join()
    assert set(found) == {()}
"""
    )
    result.assert_outcomes(passed=1)
