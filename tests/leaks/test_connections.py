"""Connections that carry something from one test to the next are not handed out again."""

from __future__ import annotations

from typing import Any

import pytest

from pytest_crucible.control import OtherBackend
from pytest_crucible.isolation.leaks import Circumstances, judge
from pytest_crucible.redirect import Opened

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
    "listen-quoted": ('  listen "Mine"', LISTENING),
}
UNDONE = {"advisory-of-a-transaction": ("SELECT pg_advisory_xact_lock(1)", ADVISORY)}
# The statement is run by the first of two tests, and looked for on the pool's one connection by the second.
PAIRS = """
import pytest
from sqlalchemy import create_engine, text
from sqlalchemy.ext.asyncio import create_async_engine

LEFT = {left!r}
PIDS = {{}}
PID = text("SELECT pg_backend_pid()")
ordered = [pytest.param(what, first, id=f"{{what}}-{{first}}") for what in LEFT for first in (True, False)]
"""
ASYNC = """
engine = create_async_engine("postgresql+{driver}://app@nowhere.invalid/app", pool_size=1, max_overflow=0)

@pytest.mark.parametrize("what, first", ordered)
async def test_pair(what, first):
    do, left = LEFT[what]
    async with engine.connect() as connection:
        pid = await connection.scalar(PID)
        if first:
            PIDS[what] = pid
            await connection.execute(text(do))
            await connection.commit()
        else:
            assert (await connection.execute(text(left))).all() == []
            assert (pid != PIDS[what]) is {anew}
"""
SYNC = """
engine = create_engine("postgresql+{driver}://app@nowhere.invalid/app", pool_size=1, max_overflow=0)

@pytest.fixture(scope="module", autouse=True)
def disposed():
    yield
    engine.dispose()

@pytest.mark.parametrize("what, first", ordered)
def test_pair(what, first):
    do, left = LEFT[what]
    with engine.connect() as connection:
        pid = connection.scalar(PID)
        if first:
            PIDS[what] = pid
            connection.execute(text(do))
            connection.commit()
        else:
            assert connection.execute(text(left)).all() == []
            assert (pid != PIDS[what]) is {anew}
"""
ENGINES = {"asyncpg": ASYNC, "psycopg-async": ASYNC, "psycopg": SYNC, "psycopg2": SYNC}


def by_tier(*quick: str) -> list[Any]:
    """Return all engines, of which only the *quick* ones run by default."""
    return [pytest.param(name, marks=[] if name in quick else pytest.mark.slow) for name in ENGINES]


def pairs(engine: str, left: dict[str, tuple[str, str]], *, anew: bool) -> str:
    """For each of *left* two tests on one connection, or with *anew* on two."""
    return (PAIRS + ENGINES[engine]).format(left=left, driver=engine.partition("-")[0], anew=anew)


@pytest.mark.parametrize("engine", by_tier("asyncpg", "psycopg2"))
def test_what_a_connection_carries(project, engine):
    """Temporary objects, session-level advisory locks and LISTEN are gone with their connection."""
    result = project.run(pairs(engine, LEFT, anew=True), "-Wignore::pytest_crucible.LeakWarning")
    result.assert_outcomes(passed=2 * len(LEFT))


@pytest.mark.parametrize("engine", by_tier("psycopg-async", "psycopg"))
def test_what_is_undone_costs_no_connection(project, engine):
    """What ended with its transaction leaves the connection as it was: it is handed out again."""
    project.run(pairs(engine, UNDONE, anew=False), "-Werror").assert_outcomes(passed=2)


def test_an_advisory_lock_is_reported(project):
    """A session-level advisory lock that stays is a leak, with the statement that took it."""
    result = project.run(pairs("asyncpg", {"advisory": LEFT["advisory"]}, anew=True))
    result.assert_outcomes(passed=2, warnings=1)
    result.stdout.re_match_lines(
        [
            r".*LeakWarning: The test kept a session-level advisory lock.* in test_pair \(asyncpg\).*",
            r".*Probably pg_advisory_lock\(\) without pg_advisory_unlock\(\).*",
            r".*Unlock it in a finally, or use pg_advisory_xact_lock\(\).*",
        ]
    )


def test_a_listener_of_the_driver_s_own(project):
    """A LISTEN that asyncpg sends by itself is noticed too."""
    result = project.run(
        """
        from sqlalchemy import text
        from sqlalchemy.ext.asyncio import create_async_engine

        engine = create_async_engine("postgresql+asyncpg://app@nowhere.invalid/app", pool_size=1, max_overflow=0)
        pids = []

        async def test_first():
            async with engine.connect() as connection:
                pids.append(await connection.scalar(text("SELECT pg_backend_pid()")))
                await (await connection.get_raw_connection()).driver_connection.add_listener("mine", print)

        async def test_second():
            async with engine.connect() as connection:
                assert await connection.scalar(text("SELECT pg_backend_pid()")) not in pids
                assert (await connection.execute(text("SELECT pg_listening_channels()"))).all() == []
        """
    )
    result.assert_outcomes(passed=2)


@pytest.mark.parametrize("wrote", [False, True])
def test_a_connection_that_its_pool_initialises(wrote):
    """It may stay, unless a listener of the application's has written, and not committed."""
    backend = OtherBackend(1, "active", "SELECT 1", open=True, since=2.0, wrote=wrote, locks=wrote)
    opened = Opened(1, "psycopg", None, 1, None, None, checked_out=True, is_new=True)
    verdict = judge([backend], [opened], Circumstances(began=1.0))
    assert (verdict.new, len(verdict.leaks), verdict.stay) == (set() if wrote else {1}, int(wrote), set())
