"""What an application's lifespan keeps open is no leak of a test's."""

from __future__ import annotations

import pytest

APP = """
import asyncio
import contextlib

import pytest
from fastapi import FastAPI
from sqlalchemy import func, select, text

import app as base
from app import Session, User


@pytest.fixture(autouse=True, scope="module")
def polling():
    # The application of this module runs a task of its own.
    base.app.router.lifespan_context = lifespan


@contextlib.asynccontextmanager
async def lifespan(app):
    task = app.state.task = asyncio.create_task(poll(app))
    app.state.pids = []
    app.state.polls = 0
    await asyncio.sleep(0.05)
    yield
    task.cancel()
    with contextlib.suppress(asyncio.CancelledError):
        await task

"""
TESTS = """

@pytest.mark.parametrize("i", range(3))
async def test_poller(async_client, db_session, i):
    response = await async_client.post("/users", params={"name": "x"})
    assert response.status_code == 200
    before = base.app.state.polls
    await asyncio.sleep(0.1)
    assert await db_session.scalar(select(func.count()).select_from(User)) == 1
    assert base.app.state.polls > before
    assert not base.app.state.task.done()
    assert len(set(base.app.state.pids)) == 1
"""


def test_a_poller_that_sleeps_inside_a_transaction(project):
    """It goes on over three tests, on the same connection."""
    result = project.run(
        APP
        + """
async def poll(app):
    async with Session() as session:
        while True:
            app.state.pids.append(await session.scalar(text("SELECT pg_backend_pid()")))
            app.state.polls += 1
            await asyncio.sleep(0.02)
"""
        + TESTS,
        "-Werror",
    )
    result.assert_outcomes(passed=3)


@pytest.mark.slow
def test_a_poller_that_locks_what_it_finds(project):
    """A worker that takes rows FOR UPDATE SKIP LOCKED, and sleeps before it commits, is waited for."""
    result = project.run(
        APP
        + """
async def poll(app):
    async with base.engine.connect() as connection:
        while True:
            app.state.pids.append(await connection.scalar(text("SELECT pg_backend_pid()")))
            await connection.execute(text("SELECT FROM users FOR UPDATE SKIP LOCKED"))
            app.state.polls += 1
            await asyncio.sleep(0.02)
            await connection.commit()
"""
        + TESTS,
        "-Werror",
    )
    result.assert_outcomes(passed=3)


@pytest.mark.slow
def test_a_leader_by_advisory_lock(project):
    """A session-level advisory lock of the lifespan's is kept from test to test."""
    result = project.run(
        APP
        + """
async def poll(app):
    async with base.engine.connect() as connection:
        assert await connection.scalar(text("SELECT pg_try_advisory_lock(7)"))
        await connection.commit()
        while True:
            app.state.pids.append(await connection.scalar(text("SELECT pg_backend_pid()")))
            await connection.commit()
            app.state.polls += 1
            await asyncio.sleep(0.02)
"""
        + TESTS,
        "-Werror",
    )
    result.assert_outcomes(passed=3)


def test_the_application_is_shut_down_before_its_database_goes(project):
    """Before a fresh clone the shutdown still meets its own database; the next start-up meets the new one."""
    result = project.run(
        APP.partition("@contextlib")[0]
        + """
CLONE = pytest.mark.crucible(isolation="clone")
met = []


@contextlib.asynccontextmanager
async def lifespan(app):
    met.append(("start", await database()))
    yield
    met.append(("stop", await database()))


async def database():
    async with Session() as session:
        return await session.scalar(text("SELECT oid FROM pg_database WHERE datname = current_database()"))


async def test_changes_the_schema(async_client, db_session):
    await db_session.execute(text("CREATE INDEX ON users (id, name)"))
    await db_session.commit()


@pytest.mark.parametrize("i", [pytest.param(0, marks=CLONE), 1])
async def test_next(async_client, i):
    assert [step for step, _ in met] == ["start", "stop"] * (i + 1) + ["start"]
    used = [oid for _, oid in met]
    assert used[::2] == used[1::2] + [await database()]
    assert len(set(used)) == i + 2
"""
    )
    result.assert_outcomes(passed=3)


def test_a_leak_beside_a_lifespan_under_anyio(project):
    """anyio runs tests in the task that its first fixture started: what they leave is a leak all the same."""
    result = project.run(
        """
        import pytest
        from sqlalchemy import text
        from app import Session, User

        kept = []
        pytestmark = pytest.mark.anyio

        @pytest.fixture(scope="module")
        def anyio_backend():
            return "asyncio"

        async def test_leaky(async_client):
            await async_client.post("/users", params={"name": "x"})
            session = Session()
            kept.append(session)
            session.add(User(name="y"))
            await session.flush()

        async def test_next(async_client):
            await kept[0].invalidate()
            assert (await async_client.post("/users", params={"name": "x"})).status_code == 200
        """,
        "-oasyncio_mode=strict",
    )
    result.assert_outcomes(passed=2, warnings=1)
    result.stdout.re_match_lines([r".*LeakWarning: The test left a transaction open.* in test_leaky \(asyncpg\).*"])
