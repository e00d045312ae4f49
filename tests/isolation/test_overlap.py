"""A reset goes on while pytest reports the test and prepares the next one: nothing sees the database before its end."""

from __future__ import annotations

import pytest

from tests.shared import inner_project

# The reset after a test is slow enough to be under way still when something else asks.
SLOW_RESET = """
from pytest_crucible.control.reset import RESET
from pytest_crucible.control.sent_query import NAME, SentQuery
from pytest_crucible.isolation.resets import Resets

EVENTS = []
SECONDS = [0]
send, wait, after = SentQuery.send, SentQuery.wait, Resets.send

def slow_after(self, *arguments):
    SECONDS.append(0.05)
    after(self, *arguments)
    SECONDS.pop()

def slow(self, *parameters):
    EVENTS.append("sent")
    slow_reset = f"{RESET} FROM pg_sleep(current_setting('test.seconds')::float8)"
    self._libpq.exec_(f"DEALLOCATE {NAME.decode()}; {slow_reset}".encode())
    self._libpq.exec_(f"SET test.seconds TO {SECONDS[-1]}".encode())
    send(self, *parameters)

def waiting(self):
    if self.is_under_way:
        EVENTS.append("waits")
    wait(self)

SentQuery.send, SentQuery.wait, Resets.send = slow, waiting, slow_after

def pytest_unconfigure():
    SentQuery.send, SentQuery.wait, Resets.send = send, wait, after

def pytest_runtest_logreport(report):
    if report.when == "teardown":
        EVENTS.append("reported")
"""
INSERT = """
from app import Session, User, engine
from sqlalchemy import func, select, text

async def users():
    async with Session() as session:
        return await session.scalar(select(func.count()).select_from(User))

async def test_writes(db_session):
    db_session.add(User(name="ada"))
    await db_session.commit()
"""
DROPS = """
async def test_drops(db_session):
    await db_session.execute(text("DROP TABLE users"))
    await db_session.commit()

async def test_reads(db_session):
    assert await users() == 0
"""
POLLING = """
import threading
import pytest
from conftest import EVENTS
from sqlalchemy import create_engine

other = create_engine("postgresql+psycopg://app@db.production.invalid/app")

@pytest.fixture(scope="module")
def seen():
    seen, end = [], threading.Event()

    def phases():
        return [event for event in EVENTS if event != "waits"]

    def poll():
        while not end.is_set():
            before = phases()
            with other.connect() as connection:
                count = connection.scalar(text("SELECT count(*) FROM users"))
            if before[-1:] == ["reported"] and before == phases():
                seen.append(count)

    thread = threading.Thread(target=poll)
    thread.start()
    yield seen
    end.set()
    thread.join()
    assert set(seen) == {0}

@pytest.mark.parametrize("number", range(4))
async def test_counts(seen, number, db_session):
    assert await users() == 0
    db_session.add(User(name="ada"))
    await db_session.commit()
"""


def run(project, tests: str, conftest: str = "", *arguments: str) -> pytest.RunResult:
    path = inner_project.write(project.root, "conftest.py", SLOW_RESET + conftest)
    try:
        return project.run(INSERT + tests, *arguments)
    finally:
        path.unlink()


def test_the_report_does_not_wait_for_the_reset(project):
    """A reset is waited for when the next test begins; that of the last test, before its report."""
    tests = """
from conftest import EVENTS

async def test_reads(db_session):
    assert EVENTS[-3:] == ["sent", "reported", "waits"]
    assert await users() == 0
"""
    ends = "def pytest_sessionfinish():\n    print(EVENTS[-3:])\n"
    result = run(project, tests, ends, "-s")
    result.assert_outcomes(passed=2)
    result.stdout.fnmatch_lines(["*'sent', 'waits', 'reported'*"])


@pytest.mark.parametrize("driver", ["asyncpg", "psycopg"])
def test_a_hook_between_two_tests(project, driver):
    """An engine's checkout between two tests waits for the reset."""
    tests = """
async def test_reads(db_session):
    assert await users() == 0
"""
    hook = """
from sqlalchemy import create_engine, text

other = create_engine("postgresql+psycopg://app@db.production.invalid/app")

def pytest_runtest_logstart(nodeid):
    if "reads" in nodeid:
        assert EVENTS[-2:] == ["sent", "reported"]
        with other.connect() as connection:
            assert connection.scalar(text("SELECT count(*) FROM users")) == 0
        assert EVENTS[-1] == "waits"
"""
    run(project, tests, hook).assert_outcomes(passed=2)


def test_a_wide_fixture_between_two_tests(project):
    """The rows of a fixture that is set up for the next test are its layer, and those of the last test are gone."""
    tests = """
import pytest_asyncio

@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def grace():
    assert await users() == 0
    async with Session() as session:
        session.add(User(name="grace"))
        await session.commit()

async def test_reads(grace):
    assert await users() == 1

async def test_reads_again(grace):
    assert await users() == 1
"""
    run(project, tests).assert_outcomes(passed=3)


@pytest.mark.slow
def test_a_thread_between_two_tests(project):
    """A thread that polls all the time never finds the rows of a test that is over."""
    hook = """
import time

def pytest_runtest_call():
    EVENTS.append("begins")

def pytest_runtest_logfinish():
    time.sleep(0.1)  # the thread gets its turn, while the reset is under way and afterwards
"""
    run(project, POLLING, hook).assert_outcomes(passed=5)


def test_ddl_makes_a_clone_before_the_next_test(project):
    """A reset that only a clone can do is found out when it is waited for."""
    result = run(project, DROPS)
    result.assert_outcomes(passed=3)
    result.stdout.fnmatch_lines(["*1 fresh clone*", "*test_drops*"])


@pytest.mark.slow
def test_a_fork_between_two_tests(project):
    """A child finds the database as the reset leaves it, and what that needs is still told of the right test."""
    hook = """
import os

def pytest_runtest_logstart(nodeid):
    if "reads" in nodeid:
        assert EVENTS[-2:] == ["sent", "reported"]
        if not os.fork():
            os._exit(0)
        os.wait()
        assert "waits" in EVENTS[-2:]
"""
    result = run(project, DROPS, hook)
    result.assert_outcomes(passed=3)
    result.stdout.fnmatch_lines(["*1 fresh clone*", "*test_drops*"])


@pytest.mark.parametrize("way", ["leaks", "advisory", "url", "fails"])
def test_what_may_leave_something_open_is_waited_for(project, way):
    """A warning belongs to the test that is its cause, so the end of such a test waits for the reset."""
    first = {
        "leaks": "async def test_first(kept):\n    kept.append(await engine.connect())\n"
        "    await kept[0].execute(text('SELECT 1'))\n",
        "advisory": "async def test_first(db_session):\n    await db_session.execute(text(LOCK))\n",
        "url": "def test_first(database_url):\n    pass\n",
        "fails": "async def test_first(db_session):\n    await users()\n    assert False\n",
    }[way]
    tests = f"""
import pytest
from conftest import EVENTS

LOCK = "SELECT pg_advisory_lock(1)"

@pytest.fixture(scope="module")
def kept():
    return []

{first}
def test_second():
    assert EVENTS[-3:] == ["sent", "waits", "reported"], EVENTS
"""
    result = run(project, tests, "", "-Wignore::pytest_crucible.LeakWarning")
    result.assert_outcomes(passed=2 if way == "fails" else 3, failed=int(way == "fails"))


LEFT_IN_POOL = """
from sqlalchemy import create_engine
from sqlalchemy.ext.asyncio import create_async_engine
from conftest import EVENTS

URL = "postgresql+{driver}://app@db.production.invalid/app"
KEPT = []

async def test_leaves_asyncpg():
    KEPT.append(create_async_engine(URL, pool_reset_on_return=None))
    connection = await KEPT[0].raw_connection()
    await connection.driver_connection.execute("BEGIN; INSERT INTO users (name) VALUES ('ada')")
    connection.close()

def test_leaves_synchronously():
    KEPT.append(create_engine(URL, pool_reset_on_return=None))
    connection = KEPT[0].raw_connection()
    connection.cursor().execute("INSERT INTO users (name) VALUES ('ada')")
    connection.close()

async def test_next():
    assert EVENTS[-3:] == ["sent", "waits", "reported"], EVENTS
    assert await users() == 0
"""


@pytest.mark.parametrize("driver", ["asyncpg", "psycopg", "psycopg2"])
def test_a_transaction_left_in_a_pool(project, driver):
    """The driver knows of a transaction on a connection that lies in its pool, so the warning is that test's."""
    left_out = "not synchronously" if driver == "asyncpg" else "not leaves_asyncpg"
    warned = "-Wdefault::pytest_crucible.LeakWarning"
    result = run(project, LEFT_IN_POOL.replace("{driver}", driver), "", "-k", left_out, warned)
    result.assert_outcomes(passed=3, warnings=1, deselected=1)
    result.stdout.fnmatch_lines(["*::test_leaves_*", "*LeakWarning: The test left a transaction open*"])


@pytest.mark.slow
def test_the_last_test_of_a_class(project):
    """Fixtures of its class are torn down after it, and find the database as the reset leaves it."""
    tests = """
from conftest import EVENTS

class TestWrites:
    async def test_writes(self, db_session):
        db_session.add(User(name="grace"))
        await db_session.commit()

    @classmethod
    def teardown_class(cls):
        assert EVENTS[-2:] == ["sent", "waits"], EVENTS

def test_last():
    pass
"""
    run(project, tests).assert_outcomes(passed=3)


def test_a_hook_before_the_fixtures(project):
    """The reset is over before any hook sets the next test up, whatever it does."""
    hook = """
def pytest_runtest_setup(item):
    assert EVENTS[-3:] in ([], ["sent", "reported", "waits"]), EVENTS
"""
    run(project, "async def test_reads():\n    assert await users() == 0\n", hook).assert_outcomes(passed=2)


@pytest.mark.slow
def test_a_late_leak_when_the_run_stops(project):
    """A leak that is found after the last test of a run that stops is a warning, even where warnings are errors."""
    tests = """
import pytest

@pytest.fixture
def fails():
    yield
    assert False

async def test_locks(fails):
    async with engine.connect() as connection:
        await connection.execute(text(LOCK))
        await connection.commit()

async def test_never():
    pass
"""
    lock = "LOCK = \"DO $$ BEGIN EXECUTE 'SELECT pg_advisory' || '_lock(1)'; END $$\"\n"
    result = run(project, lock + tests, "", "-x", "-Werror")
    result.assert_outcomes(passed=2, errors=1, warnings=1)
    result.stdout.fnmatch_lines(["*LeakWarning: *test_locks:"])


def test_a_leak_that_nothing_could_tell(project):
    """A function takes a lock: the warning comes late, names the test, and from then on resets are waited for."""
    tests = """
from conftest import EVENTS

LOCK = "DO $$ BEGIN EXECUTE 'SELECT pg_advisory' || '_lock(1)'; END $$"

async def test_locks():
    async with engine.connect() as connection:
        await connection.execute(text(LOCK))
        await connection.commit()

async def test_next(db_session):
    await users()

def test_last():
    assert EVENTS[-3:] == ["sent", "waits", "reported"], EVENTS
"""
    result = run(project, tests)
    result.assert_outcomes(passed=4, warnings=1)
    result.stdout.fnmatch_lines(["*LeakWarning: *test_locks:"])


def test_a_time_out_while_a_reset_is_waited_for(project):
    """An exception that a signal raises in the wait fails one test, and the next one waits again."""
    tests = """
async def test_reads(db_session):
    assert await users() == 0

async def test_reads_again(db_session):
    assert await users() == 0
"""
    hook = """
import signal
import pytest

def expire(number, frame):
    pytest.fail("too late")

signal.signal(signal.SIGALRM, expire)

@pytest.hookimpl(wrapper=True, tryfirst=True)
def pytest_runtest_setup(item):
    if item.name == "test_reads":
        signal.setitimer(signal.ITIMER_REAL, 0.01)
    return (yield)
"""
    run(project, tests, hook).assert_outcomes(passed=2, errors=1)


@pytest.mark.slow
def test_after_a_race(project):
    """A race hands out no URL, so that the resets of later tests go on after their ends."""
    tests = """
from conftest import EVENTS

async def test_races(race):
    await race(users, users)

async def test_writes_again(db_session):
    db_session.add(User(name="ada"))
    await db_session.commit()

async def test_reads():
    assert EVENTS[-3:] == ["sent", "reported", "waits"], EVENTS
    assert await users() == 0
"""
    run(project, tests).assert_outcomes(passed=4)
