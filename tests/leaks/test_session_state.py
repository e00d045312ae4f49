"""A connection whose session state a test has altered is not handed out after it; any other is."""

from __future__ import annotations

from typing import Any

import pytest

HEAD = """
import pytest
from sqlalchemy import create_engine, event, text
from sqlalchemy.ext.asyncio import create_async_engine

URL = "postgresql+{driver}://app@nowhere.invalid/app"
PID = text("SELECT pg_backend_pid()")
pids = []
"""
ASYNC = """
engine = create_async_engine(URL, pool_size=1, max_overflow=0)
listened = engine.sync_engine


async def run(*statements, commit=True):
    async with engine.connect() as connection:
        pid = await connection.scalar(PID)
        rows = [list(await connection.execute(text(statement))) if statement.startswith("SELECT") else
                await connection.execute(text(statement)) for statement in statements]
        await (connection.commit() if commit else connection.rollback())
        return pid, rows


async def fill():
    await run()
"""
SYNC = """
engine = listened = create_engine(URL, pool_size=1, max_overflow=0)


@pytest.fixture(scope="module", autouse=True)
def disposed():
    yield
    engine.dispose()


async def run(*statements, commit=True):
    with engine.connect() as connection:
        pid = connection.scalar(PID)
        rows = [list(connection.execute(text(statement))) if statement.startswith("SELECT") else
                connection.execute(text(statement)) for statement in statements]
        (connection.commit if commit else connection.rollback)()
        return pid, rows
"""
ENGINES = {"asyncpg": ASYNC, "psycopg-async": ASYNC, "psycopg": SYNC, "psycopg2": SYNC}


def by_tier(*quick: str) -> list[Any]:
    """Return all engines, of which only the *quick* ones run by default."""
    return [pytest.param(name, marks=[] if name in quick else pytest.mark.slow) for name in ENGINES]


def module(engine: str, tests: str) -> str:
    """Return a module of tests on a pool of one connection."""
    return HEAD.format(driver=engine.partition("-")[0]) + ENGINES[engine] + tests


TESTS = """
ALTER = {
    "setting": ["SET application_name = 'mine'"],
    "setting-in-a-comment": ["-- why\\n /* x */ SET SESSION statement_timeout TO 12345"],
    "set_config": ["SELECT set_config('app.tenant', '7', false)"],
    "time-zone": ["SET TIME ZONE 'Asia/Tokyo'"],
    "role": ["SET ROLE none", "SET ROLE app"],
    "prepare": ["PREPARE one AS SELECT 1"],
    "hold": ["DECLARE one CURSOR WITH HOLD FOR SELECT 1"],
    "block": ["DO 'BEGIN NULL; END'"],
    "undone-and-done": ["RESET app.tenant", "SET app.tenant = 7", "RESET app.tenant", "SET app.tenant = 7"],
    "undone-in-a-savepoint": ["SET app.tenant = 7", "COMMIT", "BEGIN", "SAVEPOINT one", "RESET app.tenant",
                              "ROLLBACK TO one"],
}
KEEP = {
    "nothing": [],
    "local": ["SET LOCAL application_name = 'mine'", "SELECT set_config('app.tenant', '7', true)"],
    "transaction": ["SET TRANSACTION READ ONLY"],
    "undone": ["SET app.tenant = 7", "RESET app.tenant"],
    "undone-twice": ["SET app.tenant = 7", "RESET app.tenant"] * 2,
    "all-undone": ["SET app.tenant = 7", "SET work_mem = '8MB'", "RESET ALL"],
    "deallocated": ["PREPARE one AS SELECT 1", "DEALLOCATE one"],
    "closed": ["DECLARE one CURSOR WITH HOLD FOR SELECT 1", "CLOSE one"],
}
ALTER = {name: what for name, what in ALTER.items() if "BEGIN" not in what or "asyncpg" not in URL}


@pytest.mark.parametrize("name", KEEP)
async def test_kept(name):
    pid, _ = await run(*KEEP[name])
    pids.append(pid)
    assert len(set(pids)) == 1


async def test_rolled_back():
    assert (await run("SET ROLE app", "SET app.tenant = 7", "DO 'BEGIN NULL; END'", commit=False))[0] == pids[0]


async def test_after_a_rollback():
    assert (await run())[0] == pids[0]
    pids.clear()


@pytest.mark.parametrize("name", ALTER)
async def test_altered(name):
    pid, _ = await run(*ALTER[name])
    assert (await run())[0] == pid  # within the test the connection is handed out again, as in production
    assert pid not in pids
    pids.append(pid)


async def test_undoing_what_is_rolled_back():
    await run("SET app.tenant = 7")
    pid, _ = await run("RESET app.tenant", commit=False)
    assert (await run("SELECT current_setting('app.tenant')"))[1] == [[("7",)]]
    pids.append(pid)


async def test_next():
    pid, rows = await run("SELECT coalesce(current_setting('app.tenant', true), '')")
    assert rows == [[("",)]]
    assert pid not in pids
"""


@pytest.mark.parametrize("engine", by_tier("asyncpg", "psycopg2"))
def test_altered(project, engine):
    """It is handed out again within the test, and after it where the state is as after the connect."""
    done = project.run(module(engine, TESTS), "-Werror", "-Werror::pytest_crucible.LeakWarning")
    done.assert_outcomes(passed=8 + 2 + (9 if engine == "asyncpg" else 10) + 2)


TENANTS = """
@event.listens_for(listened, "connect")
def connect(connection, record):
    do(connection, "SET statement_timeout = 60000")
    do(connection, "SET lock_timeout = 60000")

@event.listens_for(listened, "checkout")
def checkout(connection, record, proxy):
    do(connection, "SET app.tenant = 7")

@event.listens_for(listened, "checkin")
def checkin(connection, record):
    if connection is not None:
        do(connection, "RESET app.tenant")

def do(connection, statement):
    cursor = connection.cursor()
    cursor.execute(statement)
    cursor.close()
    connection.commit()

SETTINGS = "SELECT current_setting('statement_timeout'), current_setting('app.tenant')"


@pytest.mark.parametrize("n", range(3))
async def test_tenant(n):
    pid, rows = await run(SETTINGS)
    assert rows == [[("1min", "7")]]
    pids.append(pid)
    assert len(set(pids)) == 1


async def test_that_undoes_what_the_connect_did():
    assert (await run("RESET ALL"))[0] == pids[0]


async def test_next():
    pid, rows = await run(SETTINGS)
    assert rows == [[("1min", "7")]]
    assert pid not in pids
    pids[:] = [pid]


async def test_that_does_it_again():
    await run("SET lock_timeout = 1234", "SET lock_timeout = 60000")


async def test_last():
    assert (await run())[0] == pids[0]
"""


@pytest.mark.parametrize("engine", by_tier("asyncpg", "psycopg"))
def test_set_and_reset_by_the_pool(project, engine):
    """What is set at the connect is the baseline, and a tenant reset at each check-in costs no connection."""
    project.run(module(engine, TENANTS), "-Werror").assert_outcomes(passed=7)


COMPOSED = """
import pytest
import {sql} as sql
from sqlalchemy import create_engine, text

engine = create_engine("postgresql+{driver}://app@nowhere.invalid/app", pool_size=1, max_overflow=0)
STATEMENTS = {{
    "bytes": b"LISTEN news",
    "composed": sql.SQL("LISTEN {{}}").format(sql.Identifier("news")),
    "composed-set": sql.SQL("/* x */ SET {{}} = {{}}").format(sql.Identifier("app", "tenant"), sql.Literal(7)),
    "harmless": sql.SQL("SET LOCAL app.tenant = 7"),
}}
pids = []


@pytest.fixture(scope="module", autouse=True)
def disposed():
    yield
    engine.dispose()


@pytest.mark.parametrize("name", STATEMENTS)
def test_composed(name):
    with engine.connect() as connection:
        cursor = connection.connection.cursor()
        cursor.execute(STATEMENTS[name])
        cursor.execute("SELECT pg_backend_pid()")
        pids.extend(cursor.fetchone())
        cursor.close()
        connection.connection.commit()
    assert len(set(pids)) == len(pids)


def test_last():
    with engine.connect() as connection:
        assert connection.scalar(text("SELECT pg_backend_pid()")) == pids[-1]


def test_the_traceback_of_an_error():
    with pytest.raises(Exception) as raised:
        with engine.connect() as connection:
            connection.connection.cursor().execute("SELEKT")
    shown = raised.traceback.filter(raised)
    assert "pytest_crucible" not in str(shown[-1].path)
"""


@pytest.mark.parametrize(("driver", "sql"), [("psycopg", "psycopg.sql"), ("psycopg2", "psycopg2.sql")])
def test_statements_that_are_no_strings(project, driver, sql):
    """They are read as the driver reads them; an error of the driver does not end in a file of Crucible's."""
    project.run(COMPOSED.format(driver=driver, sql=sql), "-Werror").assert_outcomes(passed=6)


WIDE = """
import pytest
from sqlalchemy import create_engine, text

engine = create_engine("postgresql+psycopg://app@nowhere.invalid/app", pool_size=1, max_overflow=1)
TENANT = text("SELECT current_setting('app.tenant', true), pg_backend_pid()")
connections, pids = [], []


@pytest.fixture(scope="module", autouse=True)
def connection():
    with engine.connect() as connection:
        connection.execute(text("SET app.tenant = 7"))
        connection.commit()
        yield connection
    engine.dispose()


@pytest.mark.parametrize("n", range(3))
def test_that_uses_it(n, connection):
    tenant, pid = connection.execute(TENANT).one()
    connection.commit()
    assert tenant == "7"
    pids.append(pid)
    assert len(set(pids)) == 1


def test_that_returns_it(connection):
    connection.close()
    with engine.connect() as other:
        assert other.execute(TENANT).one().pg_backend_pid not in pids
"""


def test_what_a_wide_fixture_holds(project):
    """It keeps its state as long as it is in use, over tests, and is judged when it is returned."""
    project.run(WIDE, "-Werror").assert_outcomes(passed=4)
