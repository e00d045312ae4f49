"""Starlette's TestClient in synchronous tests over asynchronous engines."""

from __future__ import annotations

import pytest

SERVICE = """
import asyncio, contextlib, pytest
from app import User
from fastapi import BackgroundTasks, FastAPI, WebSocket, WebSocketDisconnect
from fastapi.testclient import TestClient
from sqlalchemy import func, select
from sqlalchemy.ext.asyncio import AsyncSession, create_async_engine

engine = create_async_engine("postgresql+DRIVER://app@db.production.invalid/app", pool_size=2)


@contextlib.asynccontextmanager
async def lifespan(service):
    async with AsyncSession(engine) as session:
        session.add(User(name="of the start"))
        await session.commit()
    yield {"started": True}
    async with AsyncSession(engine) as session:
        session.add(User(name="of the end"))
        await session.commit()

service = FastAPI(lifespan=lifespan)


async def names():
    async with AsyncSession(engine) as session:
        return sorted(await session.scalars(select(User.name)))


async def record(name):
    async with AsyncSession(engine) as session:
        session.add(User(name=name))
        await session.commit()


@service.post("/users/{name}")
async def add(name: str, tasks: BackgroundTasks):
    await record(name)
    tasks.add_task(record, f"after {name}")
    return await names()


@service.get("/both")
async def both():
    return await asyncio.gather(names(), names())


@service.get("/broken")
async def broken():
    async with AsyncSession(engine) as session:
        session.add(User(name="never"))
        await session.flush()
        raise LookupError


@service.websocket("/ws")
async def talk(websocket: WebSocket):
    await websocket.accept()
    with contextlib.suppress(WebSocketDisconnect):
        while True:
            await record(await websocket.receive_text())
            await websocket.send_json(await names())
"""


CLIENTS = """
def seen(session):
    return sorted(session.scalars(select(User.name)))

@pytest.mark.parametrize("i", range(2))
def test_without(sync_session, i):
    client = TestClient(service)
    assert client.post("/users/ada").json() == ["ada"]
    assert client.post("/users/bob").json() == ["ada", "after ada", "bob"]
    assert client.get("/both").json() == [["ada", "after ada", "after bob", "bob"]] * 2
    assert len(seen(sync_session)) == 4

@pytest.mark.parametrize("i", range(2))
def test_with(sync_session, i):
    with TestClient(service) as client:
        assert client.post("/users/ada").json() == ["ada", "of the start"]
        assert client.get("/both").json() == [["ada", "after ada", "of the start"]] * 2
    assert seen(sync_session) == ["ada", "after ada", "of the end", "of the start"]

def test_errors(sync_session):
    with pytest.raises(LookupError):
        TestClient(service).get("/broken")
    assert TestClient(service, raise_server_exceptions=False).get("/broken").status_code == 500
    assert seen(sync_session) == []

@pytest.mark.parametrize("i", range(2))
def test_websocket(i):
    with TestClient(service) as client, client.websocket_connect("/ws") as one:
        one.send_text("ada")
        assert one.receive_json() == ["ada", "of the start"]

@pytest.mark.parametrize("i", range(2))
async def test_asynchronous_tests_between(db_session, i):
    assert await db_session.scalar(select(func.count()).select_from(User)) == 0
    await record("ada")

@pytest.fixture(scope="module")
def client():
    with TestClient(service) as client:
        yield client

@pytest.mark.parametrize("i", range(2))
def test_a_client_of_a_wider_scope(client, i):
    assert client.post("/users/ada").json() == ["ada", "of the start"]

def test_in_between(sync_session):
    assert seen(sync_session) == ["of the start"]
"""


@pytest.mark.parametrize("driver", ["asyncpg", pytest.param("psycopg", marks=pytest.mark.slow)])
def test_client(project, driver):
    """With and without lifespan, again and again, errors and websockets included; each test starts from nothing."""
    done = project.run(
        SERVICE.replace("DRIVER", driver) + CLIENTS,
        "-Werror",
        "-Werror::pytest_crucible.LeakWarning",
    )
    done.assert_outcomes(passed=12)


def test_a_client_in_an_asynchronous_test(project):
    """It works there too, although it blocks the test's loop meanwhile."""
    done = project.run(
        SERVICE.replace("DRIVER", "asyncpg")
        + """
@pytest.mark.parametrize("i", range(2))
async def test_both(async_client, db_session, i):
    with TestClient(service) as client:
        client.post("/users/ada")
    await async_client.post("/users", params={"name": "bob"})
    assert await db_session.scalar(select(func.count()).select_from(User)) == 5
""",
        "-Werror",
    )
    done.assert_outcomes(passed=2)


@pytest.mark.parametrize("isolation", [pytest.param("clone", marks=pytest.mark.slow), "rollback"])
def test_in_other_isolations(project, isolation):
    """What the application commits through an engine of its own is put back in each isolation."""
    done = project.run(
        SERVICE.replace("DRIVER", "asyncpg")
        + """
@pytest.mark.parametrize("i", range(2))
def test_with(i):
    with TestClient(service) as client:
        assert client.post("/users/ada").json() == ["ada", "of the start"]
""",
        "-Werror",
        f"--crucible-isolation={isolation}",
    )
    done.assert_outcomes(passed=2)
