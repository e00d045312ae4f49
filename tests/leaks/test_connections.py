"""Connections that carry something from one test to the next are not handed out again."""

from __future__ import annotations

import pytest

HEAD = """
import pytest
from sqlalchemy import create_engine, text
from sqlalchemy.ext.asyncio import create_async_engine

PIDS = []
"""
ASYNC = """
engine = create_async_engine("postgresql+{driver}://app@nowhere.invalid/app", pool_size=1, max_overflow=0)

async def test_first():
    async with engine.connect() as connection:
        PIDS.append(await connection.scalar(text("SELECT pg_backend_pid()")))
        {do}

async def test_second():
    async with engine.connect() as connection:
        PIDS.append(await connection.scalar(text("SELECT pg_backend_pid()")))
        left = await connection.execute(text(\"\"\"{left}\"\"\"))
        assert left.all() == []
    assert len(set(PIDS)) == {pids}
"""
SYNC = """
engine = create_engine("postgresql+{driver}://app@nowhere.invalid/app", pool_size=1, max_overflow=0)

def test_first():
    with engine.connect() as connection:
        PIDS.append(connection.scalar(text("SELECT pg_backend_pid()")))
        {do}

def test_second():
    with engine.connect() as connection:
        PIDS.append(connection.scalar(text("SELECT pg_backend_pid()")))
        left = connection.execute(text(\"\"\"{left}\"\"\"))
        assert left.all() == []
    engine.dispose()
    assert len(set(PIDS)) == {pids}
"""
TEMPORARY = "SELECT relname FROM pg_class WHERE relnamespace = pg_my_temp_schema()"
ADVISORY = "SELECT objid FROM pg_locks WHERE locktype = 'advisory' AND pid = pg_backend_pid()"
LISTENING = "SELECT pg_listening_channels()"
LEFT = {
    "temporary-table": ("CREATE TEMP TABLE mine (x int)", TEMPORARY),
    "temporary-view": ("CREATE TEMP VIEW mine AS SELECT 1 AS x", TEMPORARY),
    "temporary-by-select": ("SELECT 1 AS x INTO TEMP mine", TEMPORARY),
    "advisory": ("SELECT pg_advisory_lock(1)", ADVISORY),
    "advisory-shared": ("SELECT pg_advisory_lock_shared(1, 2)", ADVISORY),
    "listen": ("LISTEN mine", LISTENING),
    "listen-quoted": ('  listen \\"Mine\\"', LISTENING),
}
ENGINES = {
    "asyncpg": (ASYNC, "await connection.execute(text('{do}')); await connection.commit()"),
    "psycopg-async": (ASYNC, "await connection.execute(text('{do}')); await connection.commit()"),
    "psycopg": (SYNC, "connection.execute(text('{do}')); connection.commit()"),
    "psycopg2": (SYNC, "connection.execute(text('{do}')); connection.commit()"),
}


@pytest.mark.parametrize("engine", ENGINES)
def test_what_a_connection_carries(project, engine):
    """Temporary objects, session-level advisory locks and LISTEN are gone with their connection."""
    tests, do = ENGINES[engine]
    driver = engine.partition("-")[0]
    for what, (statement, left) in LEFT.items():
        text = tests.format(driver=driver, do=do.format(do=statement), left=left, pids=2)
        result = project.run(HEAD + text)
        assert result.parseoutcomes().get("passed") == 2, what


@pytest.mark.parametrize("engine", ENGINES)
def test_what_is_undone_costs_no_connection(project, engine):
    """What the test itself gave back leaves the connection as it was: it is handed out again."""
    tests, do = ENGINES[engine]
    driver = engine.partition("-")[0]
    statement = "SELECT pg_advisory_xact_lock(1)"
    text = tests.format(driver=driver, do=do.format(do=statement), left=ADVISORY, pids=1)
    project.run(HEAD + text, "-Werror").assert_outcomes(passed=2)


def test_an_advisory_lock_is_reported(project):
    """A session-level advisory lock that stays is a leak, with the statement that took it."""
    tests, do = ENGINES["asyncpg"]
    text = tests.format(driver="asyncpg", do=do.format(do="SELECT pg_advisory_lock(1)"), left=ADVISORY, pids=2)
    result = project.run(HEAD + text)
    result.assert_outcomes(passed=2, warnings=1)
    result.stdout.re_match_lines([r".*LeakWarning: The test kept a session-level advisory lock.* in test_first.*"])


def test_a_listener_of_the_driver_s_own(project):
    """A LISTEN that the driver sends by itself is noticed too."""
    tests, _ = ENGINES["asyncpg"]
    do = "await (await connection.get_raw_connection()).driver_connection.add_listener('mine', print)"
    text = tests.format(driver="asyncpg", do=do, left=LISTENING, pids=2)
    project.run(HEAD + text).assert_outcomes(passed=2)
