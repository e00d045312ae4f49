"""Lifespans that a project's own wide fixtures run go on after a fresh clone, on the new database."""

from __future__ import annotations

import importlib
import sys

import pytest

from pytest_crucible.isolation.lifespan_libraries import Libraries

SERVICE = """
import asyncio, contextlib, time

import pytest
from app import User
from fastapi import FastAPI, Request, WebSocket, WebSocketDisconnect
from sqlalchemy import select, text
from sqlalchemy.ext.asyncio import AsyncSession, create_async_engine

engine = create_async_engine("postgresql+{driver}://app@db.production.invalid/app")
starts, stops, heard = [], [], []


@contextlib.asynccontextmanager
async def lifespan(service):
    if (service.title, len(starts)) == ("only once", 1):
        raise LookupError("a second start")
    starts.append("start")
    async with AsyncSession(engine) as session:
        session.add(User(name="of the start"))
        await session.commit()
    listening = asyncio.create_task(listen())
    await asyncio.sleep(0.05)
    yield {{"number": len(starts)}}
    listening.cancel()
    await asyncio.gather(listening, return_exceptions=True)
    async with AsyncSession(engine) as session:
        session.add(User(name="of the end"))
        await session.commit()
    await engine.dispose()
    stops.append("stop")


async def listen():
    async with engine.connect() as connection:
        raw = (await connection.get_raw_connection()).driver_connection
        if "asyncpg" in str(engine.url):
            await raw.add_listener("users", lambda *message: heard.append(message[-1]))
            await asyncio.Event().wait()
        await raw.set_autocommit(True)
        await raw.execute("LISTEN users")
        async for message in raw.notifies():
            heard.append(message.payload)


service = FastAPI(lifespan=lifespan)


@service.post("/users/{{name}}")
async def add(name: str, request: Request):
    async with AsyncSession(engine, expire_on_commit=False) as session:
        session.add(user := User(name=name))
        await session.execute(text("SELECT pg_notify('users', :name)"), {{"name": name}})
        await session.commit()
        names = (await session.scalars(select(User.name).order_by(User.id))).all()
    return {{"id": user.id, "names": names, "state": request.state.number, "cookies": request.cookies}}


@service.websocket("/ws")
async def talk(websocket: WebSocket):
    await websocket.accept()
    with contextlib.suppress(WebSocketDisconnect):
        await websocket.receive_text()


def change_the_schema(session):
    session.execute(text("CREATE INDEX ON users (id, name)"))
    session.commit()
"""
CLIENT = """
from fastapi.testclient import TestClient


@pytest.fixture(scope="module")
def client():
    with TestClient(service, headers={"x-test": "1"}) as client:
        client.cookies.set("of", "the fixture")
        seeded = client.post("/users/seed").json()
        assert seeded["names"] == ["of the start", "seed"]
        yield client
        assert client.post("/users/teardown").status_code == 200
    assert len(starts) == len(stops)


def told(name, seconds=5):
    end = time.monotonic() + seconds
    while name not in heard and time.monotonic() < end:
        time.sleep(0.01)
    return name in heard


def check(client, number):
    heard.clear()
    answer = client.post("/users/ada").json()
    assert set(answer["names"]) == {"of the start", "seed", "ada"}
    assert answer["state"] == number
    assert answer["cookies"] == {"of": "the fixture"}
    assert client.headers["x-test"] == "1"
    assert client.app_state == {"number": number}
    assert told("ada")
    return answer["id"]


@pytest.mark.parametrize("n", range(2))
def test_before(client, n):
    check(client, 1)
    assert (len(starts), len(stops)) == (1, 0)


def test_ddl(client, sync_session):
    check(client, 1)
    change_the_schema(sync_session)


@pytest.mark.parametrize("n", range(2))
def test_after(client, n):
    check(client, 2)
    assert (len(starts), len(stops)) == (2, 1)


@pytest.mark.crucible(isolation="clone")
def test_clone(client):
    check(client, 2)


def test_without_it():
    assert (len(starts), len(stops)) == (3, 2)


def test_last(client, sync_session):
    check(client, 3)
    change_the_schema(sync_session)
"""


@pytest.mark.parametrize("driver", ["asyncpg", pytest.param("psycopg", marks=pytest.mark.slow)])
def test_a_client(project, driver):
    """Shut down and started up once for each fresh clone; the client keeps cookies and headers, and the layer."""
    done = project.run(SERVICE.format(driver=driver) + CLIENT, "-Werror")
    done.assert_outcomes(passed=8)


EACH = """

@pytest.mark.parametrize("n", range(3))
def test_each(client, sync_session, n):
    check(client, {number})
    change_the_schema(sync_session)
"""


@pytest.mark.slow
@pytest.mark.parametrize(("isolation", "number"), [("reset", "n + 1"), ("clone", "n + 1"), ("rollback", "1")])
def test_a_client_in_each_isolation(project, isolation, number):
    """It is started for each fresh clone; where a schema change is rolled back, there is none."""
    tests = CLIENT[: CLIENT.index("@pytest.mark.parametrize")] + EACH.format(number=number)
    done = project.run(SERVICE.format(driver="asyncpg") + tests, "-Werror", f"--crucible-isolation={isolation}")
    done.assert_outcomes(passed=3)


@pytest.mark.slow
def test_a_client_in_a_worker(project):
    """The same in a worker of pytest-xdist."""
    tests = SERVICE.format(driver="asyncpg") + CLIENT
    project.run(tests, "-Werror", "-n2", "--dist=loadfile", process=True).assert_outcomes(passed=8)


MANAGED = """
import httpx
from asgi_lifespan import LifespanManager


@pytest.fixture(scope="module")
async def client():
    async with LifespanManager(service, startup_timeout=9) as manager:
        async with httpx.AsyncClient(transport=httpx.ASGITransport(manager.app), base_url="http://x") as client:
            assert (await client.post("/users/seed")).json()["names"] == ["of the start", "seed"]
            yield client
            assert (await client.post("/users/teardown")).status_code == 200
    assert len(starts) == len(stops)


async def check(client, number):
    heard.clear()
    answer = (await client.post("/users/ada")).json()
    assert set(answer["names"]) == {"of the start", "seed", "ada"}
    assert answer["state"] == number
    for _ in range(500):
        if "ada" in heard:
            return
        await asyncio.sleep(0.01)
    raise AssertionError(heard)


@pytest.mark.parametrize("n", range(2))
async def test_before(client, n):
    await check(client, 1)


async def test_ddl(client, db_session):
    await check(client, 1)
    await db_session.run_sync(change_the_schema)


async def test_after(client):
    await check(client, 2)


@pytest.mark.crucible(isolation="clone")
async def test_clone(client):
    await check(client, 2)


async def test_last(client, db_session):
    await check(client, 3)
    await db_session.run_sync(change_the_schema)
"""


@pytest.mark.parametrize("driver", ["asyncpg", pytest.param("psycopg", marks=pytest.mark.slow)])
def test_a_manager(project, driver):
    """A LifespanManager's application is started again on its own loop, and requests see its new state."""
    project.run(SERVICE.format(driver=driver) + MANAGED, "-Werror").assert_outcomes(passed=6)


@pytest.mark.slow
def test_a_manager_under_anyio(project):
    """The same on the loop of anyio's runner."""
    anyio = """
pytestmark = pytest.mark.anyio

@pytest.fixture(scope="module")
def anyio_backend():
    return "asyncio"
"""
    done = project.run(SERVICE.format(driver="asyncpg") + MANAGED + anyio, "-oasyncio_mode=strict")
    done.assert_outcomes(passed=6)


@pytest.mark.slow
def test_a_start_that_fails_the_second_time(project):
    """The tests that use the fixture fail, each with the cause; the others pass, and so does the teardown."""
    done = project.run(
        SERVICE.format(driver="asyncpg")
        + """
from fastapi.testclient import TestClient

@pytest.fixture(scope="module")
def client():
    service.title = "only once"
    with TestClient(service) as client:
        yield client

def test_ddl(client, sync_session):
    change_the_schema(sync_session)

def test_after(client):
    raise AssertionError("not reached")

def test_of_others(sync_session):
    assert sync_session.scalars(select(User.name)).all() == []
"""
    )
    done.assert_outcomes(passed=2, errors=1)
    done.stdout.fnmatch_lines(
        [
            "*LookupError: a second start*",
            "*ApplicationError: The application that the fixture 'client' runs could not be started a second time.*",
            "*Make the start-up repeatable*",
        ]
    )


@pytest.mark.slow
def test_an_open_websocket(project):
    """A websocket of a wide fixture would be waited for without end: the tests that use it are told."""
    done = project.run(
        SERVICE.format(driver="asyncpg")
        + """
from fastapi.testclient import TestClient

@pytest.fixture(scope="module")
def client():
    with TestClient(service) as client:
        yield client

@pytest.fixture(scope="module")
def websocket(client):
    with client.websocket_connect("/ws") as websocket:
        yield websocket

def test_ddl(websocket, sync_session):
    change_the_schema(sync_session)

def test_after(client):
    raise AssertionError("not reached")
"""
    )
    done.assert_outcomes(passed=1, errors=1)
    done.stdout.fnmatch_lines(
        [
            "*ApplicationError: The application that the fixture 'client' runs is connected to a database that was*",
            "*a websocket of the client is open*",
        ]
    )


@pytest.mark.slow
def test_an_application_that_a_wide_fixture_starts_only_to_seed(project):
    """What such a start-up wrote stays for as long as the fixture."""
    done = project.run(
        SERVICE.format(driver="asyncpg")
        + """
@pytest.fixture(scope="module")
def seeded():
    from fastapi.testclient import TestClient

    with TestClient(service):
        pass

@pytest.mark.parametrize("n", range(2))
def test_seeded(n, seeded, sync_session):
    assert sync_session.scalars(select(User.name)).all() == ["of the start", "of the end"]
    change_the_schema(sync_session)

def test_once():
    assert starts == ["start"]
""",
        "-Werror",
    )
    done.assert_outcomes(passed=3)


@pytest.mark.slow
def test_an_application_that_keeps_no_connection(project):
    """It goes on running, with all that it has in memory and in the database: its pool connects anew."""
    done = project.run(
        SERVICE.format(driver="asyncpg").replace("asyncio.create_task(listen())", "asyncio.create_task(idle())")
        + """
from fastapi.testclient import TestClient

async def idle():
    await asyncio.Event().wait()

@pytest.fixture(scope="module")
def client():
    with TestClient(service) as client:
        yield client

@pytest.mark.parametrize("n", range(3))
def test_each(client, sync_session, n):
    assert client.post("/users/ada").json()["names"] == ["of the start", "ada"]
    change_the_schema(sync_session)
    assert starts == ["start"]
""",
        "-Werror",
    )
    done.assert_outcomes(passed=3)


@pytest.mark.slow
def test_wide_fixtures_that_change_the_schema(project):
    """Set-up and teardown of such a fixture leave no application on a database that is gone, either."""
    head = CLIENT[: CLIENT.index("@pytest.mark.parametrize")].replace('scope="module"', 'scope="session"')
    done = project.run(
        SERVICE.format(driver="asyncpg")
        .replace('session.add(User(name="of the start"))', FIND_OR_ADD)
        .replace('session.add(User(name="of the end"))', "pass")
        + head
        + """

@pytest.fixture(scope="class")
def table():
    from sqlalchemy import create_engine

    engine = create_engine("postgresql+psycopg://app@db.production.invalid/app")
    with engine.begin() as connection:
        connection.execute(text("CREATE TABLE wide ()"))
    yield
    engine.dispose()


def test_before(client):
    check(client, 1)


class TestTable:
    @pytest.mark.parametrize("n", range(2))
    def test_table(self, client, table, n):
        check(client, 2)


@pytest.mark.parametrize("n", range(2))
def test_after(client, n):
    check(client, 3)
""",
        "-Werror",
    )
    done.assert_outcomes(passed=5)


FIND_OR_ADD = """
        if not await session.scalar(select(User).where(User.name == "of the start")):
            session.add(User(name="of the start"))
"""


class Nothing:
    """A watch that is told of nothing."""


@pytest.mark.parametrize(
    ("module", "methods"),
    [
        ("starlette.testclient", {"TestClient": ["__enter__", "__exit__"], "WebSocketTestSession": ["__enter__"]}),
        ("asgi_lifespan", {"LifespanManager": ["__aenter__", "__aexit__"]}),
    ],
)
def test_the_libraries_are_as_the_adapter_has_them(monkeypatch, module, methods):
    """The methods exist, are replaced when the library is imported, however late, and put back in the end."""
    for name in [name for name in sys.modules if name.partition(".")[0] == module.partition(".")[0]]:
        monkeypatch.delitem(sys.modules, name)
    libraries = Libraries(Nothing())
    libraries.install()
    try:
        assert module not in sys.modules
        imported = importlib.import_module(module)
        replaced = {name: [vars(getattr(imported, name))[method] for method in methods[name]] for name in methods}
        assert {one.__module__ for wrappers in replaced.values() for one in wrappers} == {Libraries.__module__}
    finally:
        libraries.remove()
    restored = {name: [vars(getattr(imported, name))[method] for method in methods[name]] for name in methods}
    assert all(one.__module__.startswith(module) for methods in restored.values() for one in methods)
    assert not [finder for finder in sys.meta_path if type(finder).__module__.startswith("pytest_crucible")]
