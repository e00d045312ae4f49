"""The fixture `query_log`: what is counted, where it came from, and what is shown."""

from __future__ import annotations

import pytest

HEAD = """
import asyncio, pytest
import sqlalchemy as sa
from app import Base, Session, User, app, engine
from pytest_crucible import QueryCountError, UsageError
from sqlalchemy import insert, select, text
"""

ROUTES = """
@app.get("/names")
async def names():
    async with Session() as session:
        ids = (await session.scalars(select(User.id).order_by(User.id))).all()
        return [await name(session, one) for one in ids]

async def name(session, one):
    return await session.scalar(select(User.name).where(User.id == one))

@pytest.fixture
async def users(db_session):
    db_session.add_all([User(name=name) for name in "abc"])
    await db_session.commit()
"""


COUNTS = """
async def test_requests(async_client, query_log):
    for name in "abc":
        await async_client.post("/users", params={"name": name})
    assert query_log.count == len(query_log) == len(query_log.statements) == 3
    assert {one.sql.split()[0] for one in query_log} == {"INSERT"}
    assert query_log[0].rowcount == 1 and query_log[0].seconds > 0 and not query_log[0].failed
    assert "'a'" in query_log[0].parameters
    assert str(query_log[0].location).endswith(" in create")

async def test_sessions(db_session, query_log):
    async with db_session.begin_nested():
        db_session.add(User(name="a"))
    await db_session.commit()
    await db_session.rollback()
    assert (await db_session.scalars(select(User.name))).all() == ["a"]
    assert [one.sql.split()[0] for one in query_log] == ["INSERT", "SELECT"]
    assert str(query_log[1].location).endswith(" in test_sessions")

def test_synchronous(sync_session, query_log):
    sync_session.add(User(name="a"))
    sync_session.commit()
    assert query_log.count == 1
    query_log.clear()
    assert query_log.count == 0 and not list(query_log)
    meanwhile.append(listeners(sync_session))

def test_no_listener_stays(sync_session):
    sync_session.execute(text('SELECT 1'))
    assert meanwhile == [listeners(sync_session) + 1]

meanwhile = []

def listeners(session):
    return len(list(session.get_bind().dispatch.before_cursor_execute))
"""


@pytest.mark.parametrize("isolation", ["reset", "rollback", pytest.param("clone", marks=pytest.mark.slow)])
def test_counts_are_the_same_in_each_isolation(project, isolation):
    """Requests and sessions count; the control of transactions, and what Crucible executes, do not."""
    done = project.run(
        HEAD + COUNTS,
        f"--crucible-isolation={isolation}",
        "--crucible-get-session=app:get_db" if isolation == "rollback" else "-v",
    )
    done.assert_outcomes(passed=4)


EXPECTATIONS = """
async def test_loop(async_client, users, query_log):
    assert (await async_client.get("/names")).json() == ["a", "b", "c"]
    (found,) = query_log.repeated()
    assert found.times == 3 and found.sql.startswith("SELECT users.name")
    assert str(found.location).endswith(" in name")

async def test_expectations(async_client, users, query_log):
    with query_log.expect(max=4) as part:
        await async_client.get("/names")
    assert part.count == 4
    with query_log.expect(exactly=0):
        pass
    with pytest.raises(QueryCountError, match="4 statements executed, at most 3") as raised:
        with query_log.expect(max=3):
            await async_client.get("/names")
    told = str(raised.value).splitlines()
    assert told[0] == "4 statements executed, at most 3 expected:"
    assert told[5] == "From one location:" and told[6].startswith("  3 times SELECT users.name")
    assert told[7].startswith("Load the rows of a loop at once")
    with pytest.raises(AssertionError, match="0 statements executed, 1 expected"):
        with query_log.expect(exactly=1):
            pass
    with pytest.raises(LookupError):
        with query_log.expect(exactly=1):
            raise LookupError
    with pytest.raises(UsageError, match=r"one of max= and exactly=\\.\\nWrite"):
        with query_log.expect():
            pass

async def test_failing(async_client, users, query_log):
    await async_client.get("/names")
    assert len(query_log) <= 3
"""


def test_repetitions_and_expectations(project):
    """A query in a loop is found with its place; a block says how many statements it may take."""
    done = project.run(HEAD + ROUTES + EXPECTATIONS)
    done.assert_outcomes(passed=2, failed=1)
    done.stdout.fnmatch_lines([
        "E *assert 4 <= 3",
        "*- query_log: 4 statements -*",
        "SELECT users.id*  at *test_*.py:* in names",
        "SELECT users.name*  at *test_*.py:* in name",
        "crucible: 16 statements in 3 tests with query_log",
        "crucible: 3 times SELECT users.name*test_expectations)",
        "crucible: 3 times SELECT users.name*test_failing)",
        "crucible: 3 times SELECT users.name*test_loop)",
    ])  # fmt: skip


NOT_COUNTED = """
import contextlib

@contextlib.asynccontextmanager
async def lifespan(app):
    async def poll():
        while True:
            async with Session() as session:
                await session.scalar(select(User.id))
            await asyncio.sleep(0.001)

    task = asyncio.create_task(poll())
    yield
    task.cancel()

app.router.lifespan_context = lifespan

async def test_lifespan(async_client, query_log):
    await asyncio.sleep(0.02)
    await async_client.post("/users", params={"name": "a"})
    await asyncio.sleep(0.02)
    assert query_log.count == 1

def test_sqlite(query_log):
    with sa.create_engine("sqlite://").connect() as connection:
        connection.execute(text("SELECT 1"))
    assert query_log.count == 0

async def test_failed(async_client, query_log):
    for _ in range(2):
        await async_client.post("/users/careful", params={"name": "a"})
    assert [one.failed for one in query_log] == [False, True]
    assert str(query_log[1]).endswith("  (failed)")

async def test_many(db_session, query_log):
    await db_session.execute(insert(User), [{"name": str(number)} for number in range(100)])
    assert query_log.count == 1
    assert len(query_log[0].parameters) == 200 and query_log[0].parameters.endswith("…")

def test_threads(sync_session, query_log):
    from concurrent.futures import ThreadPoolExecutor
    with ThreadPoolExecutor(2) as pool:
        list(pool.map(lambda i: sync_session.get_bind().connect().close(), range(2)))
        def one(i):
            with sync_session.get_bind().connect() as connection:
                connection.execute(text("SELECT 1"))
        list(pool.map(one, range(5)))
    assert query_log.count == 5
"""


def test_what_is_not_counted(project):
    """Neither a lifespan's tasks nor other databases; a statement that fails is, and one for many rows is one."""
    done = project.run(HEAD + NOT_COUNTED)
    done.assert_outcomes(passed=5)


def test_places(project):
    """The line is the project's own, also where SQLAlchemy works in a task of its own; requests are kept apart."""
    done = project.run(
        HEAD
        + ROUTES
        + """
async def add(name):
    async with Session.begin() as session:
        session.add(User(name=name))

async def test_commit_at_the_end_of_a_block(query_log):
    await asyncio.gather(add("a"), add("b"))
    assert [str(one.location).rpartition(" in ")[2] for one in query_log] == ["add", "add"]
    assert query_log.repeated()[0].times == 2

async def test_requests(async_client, users, query_log):
    for _ in range(3):
        await async_client.get("/names")
    assert [one.times for one in query_log.repeated()] == [3, 3, 3]

def test_lazy_loads(sync_session, query_log):
    sync_session.add_all([User(name=name) for name in "abc"])
    sync_session.commit()
    users = sync_session.scalars(select(User)).all()
    sync_session.expire_all()
    names = [
        user.name for user in users
    ]
    (found,) = query_log.repeated()
    assert found.times == 3 and "test_lazy_loads" in str(found.location) or "listcomp" in str(found.location)

def test_testclient(query_log):
    from fastapi.testclient import TestClient
    client = TestClient(app)
    for name in "ab":
        client.post("/users", params={"name": name})
    assert query_log.count == 2
    assert str(query_log[0].location).endswith(" in create")
"""
    )
    done.assert_outcomes(passed=4)
