"""Projects in rollback isolation: fixtures, the overridden dependency, event loops, what other engines commit."""

from __future__ import annotations

import hashlib
import importlib
import itertools
import re
import sys
import textwrap
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import inner_project
import psycopg
import pytest

from pytest_crucible.server import Lease, lease

# Imported before the first run inside this process, or each would import them anew.
MODULES = (
    "asyncpg",
    "psycopg",
    "psycopg2",
    "fastapi.testclient",
    "sqlalchemy.dialects.postgresql.asyncpg",
    "sqlalchemy.dialects.postgresql.psycopg",
    "sqlalchemy.ext.asyncio",
    "asgi_lifespan",
    "pytest_crucible.fixtures",
    "pytest_crucible.run",
)
NUMBERS = itertools.count(1)
Project = Callable[..., pytest.RunResult]

APP = """
from fastapi import BackgroundTasks, Depends, FastAPI, HTTPException
from sqlalchemy import ForeignKey, func, select
from sqlalchemy.exc import IntegrityError
from sqlalchemy.ext.asyncio import AsyncSession, async_sessionmaker, create_async_engine
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column

engine = create_async_engine("postgresql+DRIVER://app:secret@db.production.invalid/app")
Session = async_sessionmaker(engine, expire_on_commit=False)


class Base(DeclarativeBase):
    pass


class User(Base):
    __tablename__ = "users"
    id: Mapped[int] = mapped_column(primary_key=True)
    name: Mapped[str] = mapped_column(unique=True)


class Log(Base):
    __tablename__ = "log"
    id: Mapped[int] = mapped_column(primary_key=True)
    text: Mapped[str]


app = FastAPI()
seen = []


async def get_db():
    async with Session() as session:
        yield session


async def log(line):
    async with Session() as session:
        session.add(Log(text=line))
        await session.commit()


@app.post("/users", status_code=201)
async def create(name: str, background: BackgroundTasks, db: AsyncSession = Depends(get_db)):
    seen.append(db)
    user = User(name=name)
    db.add(user)
    try:
        await db.commit()
    except IntegrityError:
        await db.rollback()
        raise HTTPException(409)
    background.add_task(log, f"created {name}")
    return {"id": user.id}


@app.get("/users/{key}")
async def read(key: int, db: AsyncSession = Depends(get_db)):
    seen.append(await db.get(User, key))
    return {"name": seen[-1].name}


@app.get("/count")
async def count(db: AsyncSession = Depends(get_db)):
    return await db.scalar(select(func.count()).select_from(User))
"""

CONFIGURATION = inner_project.configuration(
    crucible_isolation="rollback",
    crucible_get_session="app:get_db",
    asyncio_default_test_loop_scope="function",
)

HEAD = """
import asyncio
import pytest
from sqlalchemy import func, select, text
from app import Log, Session, User, app, seen

async def how_many(session, model=User):
    return await session.scalar(select(func.count()).select_from(model))
"""


@pytest.fixture(scope="session")
def folder(tmp_path_factory: pytest.TempPathFactory, server_cache: Path) -> Iterator[tuple[Path, Lease]]:
    """Yield a folder for projects, and a share in its server, which is kept running between runs."""
    for name in MODULES:
        importlib.import_module(name)
    root = tmp_path_factory.mktemp("project")
    share = lease("embedded", root=root, cache=server_cache)
    yield root, share
    share.release()


@pytest.fixture
def project(
    folder: tuple[Path, Lease], server_cache: Path, pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch
) -> Callable[..., Any]:
    """Run one module of tests, of a project with an application of its own."""
    root, _ = folder
    monkeypatch.setenv("CRUCIBLE_CACHE", str(server_cache))

    def run(tests: str, *arguments: str, app: str = APP, conf: str = CONFIGURATION, driver: str = "asyncpg") -> Any:
        app = app.replace("DRIVER", driver)
        # No two applications have the same name: a module's bytecode is found by it.
        name = f"app_{hashlib.sha256(app.encode()).hexdigest()[:8]}"
        path = root / f"test_{next(NUMBERS)}.py"
        (root / f"{name}.py").write_text(app, "utf-8")
        path.with_suffix(".toml").write_text(conf.replace("app:", f"{name}:"), "utf-8")
        path.write_text((HEAD + textwrap.dedent(tests)).replace("from app ", f"from {name} "), "utf-8")
        return pytester.runpytest_inprocess(
            path, f"--rootdir={root}", "-c", path.with_suffix(".toml"), "-p", "no:cacheprovider", *arguments
        )

    return run


ANYIO = """
pytestmark = pytest.mark.anyio

@pytest.fixture(scope="module")
def anyio_backend():
    return "asyncio"
"""

LOOPS = {
    "function": (),
    "session": ("-o", "asyncio_default_fixture_loop_scope=session", "-o", "asyncio_default_test_loop_scope=session"),
    "module": ("-o", "asyncio_default_fixture_loop_scope=module", "-o", "asyncio_default_test_loop_scope=module"),
}

TWICE = '''
@pytest.fixture
async def user(db_session):
    user = User(name="fixture")
    db_session.add(user)
    await db_session.flush()
    return user

@pytest.mark.parametrize("time", [1, 2])
class TestTwice:
    async def test_flushed(self, time, user, db_session, async_client):
        """The application sees what was only flushed, and it is the very same object."""
        assert user.id == 1
        response = await async_client.get("/users/1")
        assert response.json() == {"name": "fixture"}
        assert seen[-1] is user

    async def test_shared(self, time, db_session, async_client):
        """The session is the very same one."""
        assert (await async_client.post("/users", params={"name": "a"})).status_code == 201
        assert seen[-1] is db_session
        assert await how_many(db_session) == 1

    async def test_conflict(self, time, user, db_session, async_client):
        """An IntegrityError in the application takes nothing away that was committed."""
        await db_session.commit()
        assert (await async_client.post("/users", params={"name": "fixture"})).status_code == 409
        assert await how_many(db_session) == 1

    async def test_client_only(self, time, async_client):
        """The dependency is overridden for a test that asks for nothing else."""
        assert (await async_client.post("/users", params={"name": "a"})).json() == {"id": 1}
        async with Session() as session:
            assert await how_many(session) == 0

    async def test_background(self, time, db_session, async_client):
        """What a sessionmaker of the application's commits is put back."""
        assert await how_many(db_session, Log) == 0
        await async_client.post("/users", params={"name": "a"})
        assert await how_many(db_session, Log) == 1

    async def test_fails(self, time, user, db_session):
        """Whatever failed."""
        await db_session.execute(text("select 1 / 0"))

    async def test_reads_only(self, time, db_session):
        assert await how_many(db_session) == 0
'''


@pytest.mark.parametrize(
    ("loops", "driver"),
    [
        ("module", "psycopg"),
        pytest.param("function", "asyncpg", marks=pytest.mark.slow),
        pytest.param("session", "asyncpg", marks=pytest.mark.slow),
        pytest.param("function", "psycopg", marks=pytest.mark.slow),
        pytest.param("module", "asyncpg", marks=pytest.mark.slow),
        pytest.param("session", "psycopg", marks=pytest.mark.slow),
    ],
)
def test_everything_twice(project, loops, driver):
    """On loops of every scope, with warnings as errors, each test starts from nothing."""
    project(TWICE, *LOOPS[loops], driver=driver).assert_outcomes(passed=12, failed=2)


def test_anyio(project):
    """Under anyio's own plugin as well."""
    result = project(
        ANYIO + TWICE,
        "-p",
        "no:asyncio",
        conf=CONFIGURATION.replace("asyncio_", "# "),
    )
    result.assert_outcomes(passed=12, failed=2)


def test_marker(project):
    """One test of a suite in reset isolation, and one in rollback isolation, by marker."""
    result = project(
        """
        @pytest.mark.crucible(isolation="rollback")
        async def test_rollback(db_session, async_client):
            db_session.add(User(name="a"))
            await db_session.flush()
            assert (await async_client.get("/count")).json() == 1

        async def test_reset(db_session, async_client):
            db_session.add(User(name="a"))
            await db_session.flush()
            assert (await async_client.get("/count")).json() == 0
            await db_session.commit()
            assert (await async_client.get("/count")).json() == 1
        """,
        "-o",
        "crucible_isolation=reset",
    )
    result.assert_outcomes(passed=2)


def test_overrides_are_put_back(project):
    """Overrides that were there stay, those that a test cleared come back, and Crucible's is gone."""
    result = project(
        """
        from app import get_db

        def current_user():
            return "nobody"

        app.dependency_overrides[current_user] = lambda: "somebody"
        app.dependency_overrides[get_db] = original = lambda: "mine"

        def test_clears(db_session):
            assert app.dependency_overrides[get_db] is not original
            app.dependency_overrides.clear()

        @pytest.mark.crucible(isolation="reset")
        def test_afterwards():
            assert app.dependency_overrides[get_db] is original
            assert app.dependency_overrides[current_user]() == "somebody"
        """
    )
    result.assert_outcomes(passed=2)


def test_the_users_own_session(project):
    """A db_session of the user's conftest is what the application gets."""
    result = project(
        """
        @pytest.fixture
        async def db_session(db_session):
            db_session.add(User(name="from the conftest"))
            await db_session.flush()
            db_session.info["mine"] = True
            return db_session

        async def test_it(async_client):
            assert (await async_client.get("/count")).json() == 1
            await async_client.get("/users/1")

        async def test_same(async_client, db_session):
            await async_client.post("/users", params={"name": "a"})
            assert seen[-1] is db_session and db_session.info["mine"]
        """
    )
    result.assert_outcomes(passed=2)


def test_gather(project):
    """Concurrent requests share the session: the test fails with what to write, and passes with it."""
    result = project(
        """
        async def test_gather(async_client):
            await asyncio.gather(*(async_client.post("/users", params={"name": name}) for name in "abc"))

        async def test_swallowed(async_client):
            found = await asyncio.gather(
                *(async_client.post("/users", params={"name": name}) for name in "abc"), return_exceptions=True
            )
            assert len(found) == 3

        @pytest.mark.crucible(isolation="reset")
        async def test_as_told(async_client, db_session):
            found = await asyncio.gather(*(async_client.post("/users", params={"name": name}) for name in "abc"))
            assert [response.status_code for response in found] == [201] * 3
            assert await how_many(db_session) == 3

        async def test_afterwards(db_session):
            assert await how_many(db_session) == 0
        """
    )
    result.assert_outcomes(passed=2, failed=2)
    result.stdout.fnmatch_lines(
        [
            "*IsolationError: The test's session is used by two tasks at the same time.",
            "*one is at     *app_*.py:* in create",
            "*the other at  *app_*.py:* in create",
            "*In rollback isolation the test and all requests share one session*",
            '*Write @pytest.mark.crucible(isolation="reset") on this test*',
        ]
    )


def test_a_factory(project):
    """An application that a factory makes is overridden, too."""
    factory = APP.replace("app = FastAPI()", "app = router = __import__('fastapi').APIRouter()") + (
        "\n\ndef make():\n    application = FastAPI()\n    application.include_router(router)\n    return application\n"
    )
    result = project(
        """
        @pytest.mark.parametrize("time", [1, 2])
        async def test_it(async_client, db_session, time):
            db_session.add(User(name="a"))
            await db_session.flush()
            assert (await async_client.get("/count")).json() == 1
        """,
        app=factory,
        conf=CONFIGURATION.replace("app:app", "app:make"),
    )
    result.assert_outcomes(passed=2)


def test_mounted_and_wrapped(project):
    """So is one that is mounted in another, behind a middleware."""
    mounted = APP + (
        "\n\nclass Middleware:\n    def __init__(self, app):\n        self.app = app\n\n"
        "    async def __call__(self, scope, receive, send):\n        await self.app(scope, receive, send)\n\n\n"
        "outer = FastAPI()\nouter.mount('/api', app)\nwrapped = Middleware(outer)\n"
    )
    result = project(
        """
        async def test_it(async_client, db_session):
            db_session.add(User(name="a"))
            await db_session.flush()
            assert (await async_client.get("/api/count")).json() == 1
        """,
        app=mounted,
        conf=CONFIGURATION.replace("app:app", "app:wrapped"),
    )
    result.assert_outcomes(passed=1)


def test_no_overrides(project):
    """An application that has no overrides: what to write instead."""
    result = project(
        "def test_it(db_session):\n    pass\n",
        app=APP + "\n\nasync def plain(scope, receive, send):\n    pass\n",
        conf=CONFIGURATION.replace("app:app", "app:plain"),
    )
    result.assert_outcomes(errors=1)
    result.stdout.fnmatch_lines(
        [
            "*UsageError: crucible_get_session: the application is function and has no dependency_overrides.",
            '*Remove crucible_get_session and write crucible_isolation = "reset"*',
        ]
    )


def test_wrong_dependency(project):
    """A path that names nothing: what exists there."""
    result = project("def test_it(db_session):\n    pass\n", conf=CONFIGURATION.replace("app:get_db", "app:get_dd"))
    result.assert_outcomes(errors=1)
    result.stdout.fnmatch_lines(
        ["*crucible_get_session = 'app_*:get_dd': app_* has no 'get_dd'.", "*Did you mean 'get_db'?"]
    )


SYNC_APP = """
from typing import Iterator

from fastapi import Depends, FastAPI
from sqlalchemy import create_engine, func, select
from sqlalchemy.orm import DeclarativeBase, Mapped, Session as S, mapped_column, sessionmaker

engine = create_engine("postgresql+DRIVER://app:secret@db.production.invalid/app")
Session = sessionmaker(engine)


class Base(DeclarativeBase):
    pass


class User(Base):
    __tablename__ = "users"
    id: Mapped[int] = mapped_column(primary_key=True)
    name: Mapped[str] = mapped_column(unique=True)


Log = User
app = FastAPI()
seen = []


def get_db():
    with Session() as session:
        yield session


@app.post("/users", status_code=201)
def create(name: str, db: S = Depends(get_db)):
    seen.append(db)
    db.add(User(name=name))
    db.commit()


@app.get("/count")
def count(db: S = Depends(get_db)):
    return db.scalar(select(func.count()).select_from(User))
"""


@pytest.mark.parametrize("driver", ["psycopg", "psycopg2"])
def test_synchronous(project, driver):
    """A synchronous application, a TestClient and sync_session."""
    result = project(
        """
        from fastapi.testclient import TestClient

        @pytest.fixture
        def client():
            with TestClient(app) as client:
                yield client

        @pytest.mark.parametrize("time", [1, 2])
        class TestTwice:
            def test_shared(self, time, client, sync_session):
                sync_session.add(User(name="flushed"))
                sync_session.flush()
                assert client.get("/count").json() == 1
                assert client.post("/users", params={"name": "a"}).status_code == 201
                assert seen[-1] is sync_session
                assert client.get("/count").json() == 2
                sync_session.rollback()
                assert client.get("/count").json() == 2

            def test_client_only(self, time):
                client = TestClient(app)
                assert client.post("/users", params={"name": "a"}).status_code == 201
                with Session() as session:
                    assert session.scalar(select(func.count()).select_from(User)) == 0

            async def test_async_client(self, time, async_client, sync_session):
                await async_client.post("/users", params={"name": "a"})
                assert sync_session.scalar(select(func.count()).select_from(User)) == 1
        """,
        app=SYNC_APP,
        driver=driver,
    )
    result.assert_outcomes(passed=6)


def test_the_application_s_session_and_another_one(project):
    """A test with db_session, whose application is synchronous, is told where the two were used."""
    result = project(
        """
        async def test_it(async_client, db_session):
            db_session.add(User(name="a"))
            await db_session.commit()
            await async_client.get("/count")
        """,
        app=SYNC_APP,
        driver="psycopg",
    )
    result.assert_outcomes(failed=1)
    result.stdout.fnmatch_lines(
        [
            "E*IsolationError: The test or the application uses both db_session and sync_session.",
            "E     db_session: *test_*.py:* in test_it",
            "E     sync_session: *app*.py:* in count",
        ]
    )


def test_client_of_threads(project):
    """An asynchronous application in a TestClient's thread: the transaction ends on the loop there."""
    result = project(
        """
        from fastapi.testclient import TestClient

        @pytest.fixture(scope="module")
        def client():
            with TestClient(app) as client:
                yield client

        @pytest.mark.parametrize("time", [1, 2])
        def test_wide(time, client):
            assert client.post("/users", params={"name": "a"}).status_code == 201
            assert client.get("/count").json() == 1

        @pytest.mark.parametrize("time", [1, 2])
        def test_narrow(time):
            with TestClient(app) as client:
                client.post("/users", params={"name": "a"})
                assert client.get("/count").json() == 1

        def test_a_loop_for_each_request():
            client = TestClient(app)
            client.post("/users", params={"name": "a"})
            client.get("/count")
        """
    )
    result.assert_outcomes(passed=4, failed=1)
    result.stdout.fnmatch_lines(
        ["*IsolationError: db_session was used on a second event loop*", "*with TestClient(app)*"]
    )


def test_keep_failed(project, folder):
    """The database of a failed test is kept with the rows that the test had committed in its transaction."""
    result = project(
        """
        async def test_it(async_client):
            await async_client.post("/users", params={"name": "kept"})
            assert False

        async def test_next(db_session):
            assert await how_many(db_session) == 0
        """,
        "--crucible-keep-failed",
    )
    result.assert_outcomes(passed=1, failed=1)
    kept = re.search(r"crucible: kept (\w+);", result.stdout.str())[1]
    with psycopg.connect(**folder[1].admin.to(kept).libpq()) as connection:
        assert connection.execute("SELECT name FROM users").fetchall() == [("kept",)]


def test_wide_fixtures(project):
    """What a fixture of a wider scope commits is there for each test."""
    result = project(
        """
        @pytest.fixture(scope="module")
        async def catalogue():
            async with Session() as session:
                session.add_all(User(name=str(i)) for i in range(10))
                await session.commit()

        @pytest.mark.parametrize("time", [1, 2])
        async def test_it(time, catalogue, db_session):
            await db_session.execute(text("delete from users where id > 5"))
            await db_session.commit()
            assert await how_many(db_session) == 5
        """,
        *LOOPS["module"],
    )
    result.assert_outcomes(passed=2)


@pytest.mark.skipif(sys.version_info < (3, 11), reason="exceptions have no notes")
def test_used_elsewhere(project):
    """A test that fails is told where the application read past its session, and only then."""
    result = project(
        """
        async def by_another_way():
            async with Session() as session:
                return await how_many(session)

        async def test_fails(db_session):
            db_session.add(User(name="a"))
            await db_session.flush()
            assert await by_another_way() == 1

        async def test_fails_by_itself(db_session):
            assert await how_many(db_session) == 1

        async def test_has_written_nothing(db_session):
            assert await by_another_way() == 1

        async def test_passes(db_session):
            assert await by_another_way() == await how_many(db_session) == 0
        """
    )
    result.assert_outcomes(passed=1, failed=3)
    lines = [line for line in result.outlines if "the database was used elsewhere" in line]
    assert len(lines) == 1
    result.stdout.fnmatch_lines(["*postgresql+asyncpg://app:*@db.production.invalid/app at *test_*.py:* in how_many"])


SEED_SUITE = """
class UserFactory:
    __async_session__ = None
    __model__ = User

    @classmethod
    async def create_async(cls, **values):
        instance = cls.__model__(**values)
        cls.__async_session__.add(instance)
        await cls.__async_session__.flush()
        return instance

    @classmethod
    async def create_batch_async(cls, size):
        return [await cls.create_async(name=f"user {number}") for number in range(size)]

@pytest.fixture(autouse=True)
def configure_factories(db_session):
    UserFactory.__async_session__ = db_session

@pytest.fixture
async def test_user():
    return await UserFactory.create_async(name="test user")

async def test_create_user(db_session):
    user = await UserFactory.create_async(name="a")
    assert user.id is not None

async def test_batch(async_client):
    await UserFactory.create_batch_async(10)
    assert (await async_client.get("/count")).json() == 10

async def test_fixture(test_user, async_client, db_session):
    response = await async_client.get(f"/users/{test_user.id}")
    assert response.json() == {"name": "test user"}
    test_user.name = "changed, and not even flushed"
    assert (await async_client.get(f"/users/{test_user.id}")).json() == {"name": test_user.name}

async def test_conflict(test_user, async_client, db_session):
    await db_session.commit()
    assert (await async_client.post("/users", params={"name": "test user"})).status_code == 409
    await db_session.refresh(test_user)

async def test_nothing_is_left(db_session):
    assert await how_many(db_session) == 0
"""


def test_a_suite_as_the_seed_lays_it_out(project):
    """Factories of classes that are given the session and only flush; each test starts from nothing."""
    result = project(SEED_SUITE)
    result.assert_outcomes(passed=5)
