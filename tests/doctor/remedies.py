"""Projects with one fault each, and the same projects after the remedy of its finding has been followed."""

from __future__ import annotations

import os
import subprocess
import sys
import textwrap
from dataclasses import dataclass, field
from pathlib import Path

from pytest_crucible.doctor.probes.machine import Plugin

from .conftest import ASYNC, ON, VERSIONS, Files

MAIN = """
from contextlib import asynccontextmanager

from fastapi import Depends, FastAPI
from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession, async_sessionmaker, create_async_engine
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column

engine = create_async_engine("postgresql+asyncpg://ships@db.invalid/ships")
Maker = async_sessionmaker(engine, expire_on_commit=False)
state = {}

class Base(DeclarativeBase): pass

class Ship(Base):
    __tablename__ = "ships"
    id: Mapped[int] = mapped_column(primary_key=True)

@asynccontextmanager
async def lifespan(app):
    state["started"] = True
    yield

app = FastAPI(lifespan=lifespan)

async def get_db():
    async with Maker() as session:
        yield session

@app.get("/ships")
async def ships(db: AsyncSession = Depends(get_db)) -> list[int]:
    return list(await db.scalars(select(Ship.id)))
"""
TOP = """
import asyncio
import httpx
import pytest
from sqlalchemy import create_engine, func, select, text
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm import Session
from app.main import Base, Maker, Ship, app, engine, get_db, state
"""
WORDS = ", connect_args={'check_same_thread': False}, poolclass=StaticPool"
LITE = f"""
    from sqlalchemy import StaticPool
    from sqlalchemy.orm import sessionmaker
    {TOP.replace(chr(10), chr(10) + "    ")}
    lite = create_engine("sqlite://"{WORDS})
    Local = sessionmaker(lite)

    def other_db():
        with Local() as session:
            yield session

    app.dependency_overrides[get_db] = other_db

    @pytest.fixture(autouse=True)
    def tables():
        Base.metadata.create_all(lite)
        yield
        Base.metadata.drop_all(lite)

    @pytest.fixture
    def maker():
        return Local
"""
ROW = """
    import pytest
    from app.main import Ship

    @pytest.mark.parametrize("n", [1, 2])
    def test_a_row(n, maker):
        with maker() as session:
            session.add(Ship())
            session.commit()
            assert session.query(Ship).count() == 1
"""
# Two tests, each of which commits a row through the fixture `session` and finds no other.
COMMITS = """
    @pytest.mark.parametrize("n", [1, 2])
    async def test_ship(n, session):
        session.add(Ship())
        await session.commit()
        assert await session.scalar(select(func.count()).select_from(Ship)) == 1
"""
SYNC_COMMITS = COMMITS.replace("async def", "def").replace("await ", "")
TRIVIAL = """
    async def test_ship(db_session):
        assert await db_session.scalar(select(func.count()).select_from(Ship)) == 0
"""


@dataclass(frozen=True)
class Remedy:
    """A fault and its remedy.

    Attributes:
        before: The files with the fault, beside the application; those below `tests` get its imports.
        after: The files that differ once the remedy has been followed; None for one that is deleted.
        loops: The scope of event loops, before and after.
        off: Whether Crucible is not configured, before and after.
        lines: Lines of the configuration, before and after.
        machine: The machine, before and after.
        passes: The number of tests that pass afterwards; 0 if they cannot run here, or only with a container.
    """

    before: Files = field(default_factory=dict)
    after: dict[str, str | None] = field(default_factory=dict)
    loops: tuple[str, str] = ("session", "session")
    off: tuple[bool, bool] = (False, False)
    lines: tuple[str, str] = ("", "")
    machine: tuple[dict[str, object], dict[str, object]] = field(default_factory=lambda: ({}, {}))
    passes: int = 0

    def files(self, number: int) -> dict[str, str | None]:
        """Return the files before (0) or after (1)."""
        files: dict[str, str | None] = {"app/__init__.py": "", "app/main.py": MAIN, **self.before}
        if number:
            files |= self.after
        for name, text in files.items():
            if name.startswith("tests/") and text is not None:
                files[name] = TOP + textwrap.dedent(text)
        configuration = ASYNC.format(loops=self.loops[number])
        on = "" if self.off[number] else ON.replace("app.models", "app.main")
        return {"pyproject.toml": configuration + on + self.lines[number] + "\n", **files}


def run(root: Path, cache: Path, warnings: str = "error::UserWarning") -> subprocess.CompletedProcess[str]:
    """Run the suite of the project in a process of its own; warnings, which Crucible's are, are errors by default."""
    words = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "-p", "no:xdist", "-W", warnings]
    environ = {**os.environ, "CRUCIBLE_CACHE": str(cache)}
    return subprocess.run(words, cwd=root, env=environ, capture_output=True, text=True, check=False, timeout=120)


def fixture(body: str, *, of: str = "", name: str = "session") -> str:
    """Return an async fixture."""
    decorated = f"@pytest.fixture{of}\nasync def {name}():\n"
    return decorated + textwrap.indent(textwrap.dedent(body).strip(), "    ") + "\n"


IN_TRANSACTION = """
    async with engine.connect() as connection:
        async with connection.begin() as transaction:
            yield AsyncSession(connection, expire_on_commit=False, join_transaction_mode="create_savepoint")
        await transaction.rollback()
    """
CREATOR = """
from sqlalchemy import create_engine
import psycopg
ledger = create_engine("postgresql+psycopg://ships@db.invalid/ships"{how})
"""
LEDGER = """
    def test_ledger():
        from app.ledger import ledger
        with ledger.connect() as connection:
            assert connection.scalar(text("SELECT count(*) FROM ships")) == 0
"""
EXTRA = """
from sqlalchemy.orm import Mapped, mapped_column
from app.base import Base

class Port(Base):
    __tablename__ = "ports"
    id: Mapped[int] = mapped_column(primary_key=True)
"""
BASED = MAIN.replace("class Base(DeclarativeBase): pass\n", "from app.base import Base\n")
BASE = "from sqlalchemy.orm import DeclarativeBase\n\nclass Base(DeclarativeBase): pass\n"
PORTS = """
    async def test_ports(db_session):
        assert await db_session.scalar(text("SELECT count(*) FROM ports")) == 0
"""
CLIENT = """
    @pytest.fixture
    async def client():
        async with httpx.AsyncClient(transport=httpx.ASGITransport(app=app), base_url="http://test") as client:
            yield client
"""
STARTED = """
    async def test_started({client}):
        assert (await {client}.get("/ships")).json() == []
        assert state["started"]
"""
HEADERS = """
    @pytest.fixture
    def client_of_ada(async_client):
        async_client.headers["X-User"] = "ada"
        return async_client
"""
OWN_HEADERS = """
    @pytest.fixture
    async def client_of_ada(async_client):
        transport = httpx.ASGITransport(app=app)
        async with httpx.AsyncClient(transport=transport, base_url="http://test", headers={"X-User": "ada"}) as client:
            yield client
"""
# The application has no lifespan that this client lacks: async_client runs it.
BOTH = """
    async def test_both(async_client, client_of_ada):
        assert client_of_ada.headers["X-User"] == "ada"
        assert "X-User" not in async_client.headers
        assert (await client_of_ada.get("/ships")).json() == []
"""
SHARED = """
    @pytest.fixture
    async def client(db_session, async_client):
        app.dependency_overrides[get_db] = lambda: db_session
        return async_client
"""
SEES = """
    async def test_ships({client}, db_session):
        db_session.add(Ship(id=7))
        await db_session.{ends}()
        assert (await {client}.get("/ships")).json() == [7]
"""
TABLES = """
    @pytest.fixture(autouse=True)
    async def tables():
        async with engine.begin() as connection:
            await connection.run_sync(Base.metadata.drop_all)
            await connection.run_sync(Base.metadata.create_all)
"""
DATABASE = """
    @pytest.fixture(scope="session", autouse=True)
    def database():
        server = create_engine("postgresql+psycopg://ships@db.invalid/postgres", isolation_level="AUTOCOMMIT")
        with server.connect() as connection:
            connection.execute(text("CREATE DATABASE ships_test"))
"""
SESSION = """
    @pytest.fixture{scope}
    async def session():
        async with Maker() as session:
            yield session
"""
SHIP_FACTORY = """
    from polyfactory.factories.sqlalchemy_factory import SQLAlchemyFactory

    class ShipFactory(SQLAlchemyFactory[Ship]):
        __set_as_default_factory_for_type__ = True
"""
INI = "[alembic]\nscript_location = {folder}\n"
OTHER_PLUGIN = (Plugin("pytest-other", (Path(__file__).with_name("other_plugin.py"),)),)
OLD = {"versions": {**VERSIONS, "pytest-asyncio": "0.21.0"}}
BROKEN = {"versions": {**VERSIONS, "pytest-alembic": "0.13.1"}}

REMEDIES = {
    "loop-scope-mismatch": Remedy(
        {
            "tests/conftest.py": fixture(
                "async with engine.connect() as c:\n    yield c", of='(scope="session")', name="c"
            ),
            "tests/test_it.py": "async def test_it(c):\n    assert await c.scalar(text('SELECT 1')) == 1\n",
        },
        loops=("function", "session"),
        passes=1,
    ),
    "event-loop-fixture": Remedy(
        {"tests/test_it.py": "async def test_it(event_loop):\n    assert event_loop.is_running()\n"},
        {"tests/test_it.py": "async def test_it():\n    assert asyncio.get_running_loop().is_running()\n"},
        passes=1,
    ),
    "pooled-async-engine": Remedy({"tests/test_it.py": TRIVIAL}, loops=("function", "session"), passes=1),
    "commits-every-test": Remedy(
        {
            "tests/conftest.py": fixture(IN_TRANSACTION),
            "tests/test_it.py": COMMITS,
        },
        {"tests/conftest.py": fixture(IN_TRANSACTION.replace("    await t", "        await t"))},
        passes=2,
    ),
    "session-shared": Remedy(
        {"tests/conftest.py": SHARED, "tests/test_it.py": SEES.format(client="client", ends="flush")},
        {"tests/conftest.py": None, "tests/test_it.py": SEES.format(client="async_client", ends="commit")},
        passes=1,
    ),
    "session-shared, by the isolation": Remedy(
        {"tests/conftest.py": SHARED, "tests/test_it.py": SEES.format(client="client", ends="flush")},
        lines=("", 'crucible_isolation = "rollback"'),
        passes=1,
    ),
    "wide-session-writes": Remedy(
        {"tests/conftest.py": SESSION.format(scope='(scope="session")'), "tests/test_it.py": COMMITS},
        {"tests/conftest.py": SESSION.format(scope="")},
        passes=2,
    ),
    "wide-session-writes, by our fixture": Remedy(
        {"tests/conftest.py": SESSION.format(scope='(scope="module")'), "tests/test_it.py": COMMITS},
        {"tests/conftest.py": None, "tests/test_it.py": COMMITS.replace("session", "db_session")},
        passes=2,
    ),
    "creates-database": Remedy(
        {"tests/conftest.py": DATABASE, "tests/test_it.py": TRIVIAL}, {"tests/conftest.py": None}, passes=1
    ),
    "schema-per-test": Remedy(
        {"tests/conftest.py": TABLES, "tests/test_it.py": TRIVIAL}, {"tests/conftest.py": None}, passes=1
    ),
    "production-url": Remedy(
        {".env": "DATABASE_URL=postgresql://ships@db.ships.example.com/ships\n", "tests/test_it.py": TRIVIAL},
        {".env": "DATABASE_URL=postgresql://ships@localhost/ships\n"},
        passes=1,
    ),
    "sqlite-engine": Remedy(
        {"tests/conftest.py": LITE, "tests/test_it.py": ROW},
        {"tests/conftest.py": LITE.replace("sqlite://", "postgresql+psycopg://app@localhost/app").replace(WORDS, "")},
        passes=2,
    ),
    "sqlite-engine, deleted": Remedy(
        {"tests/conftest.py": LITE, "tests/test_it.py": TRIVIAL}, {"tests/conftest.py": None}, passes=1
    ),
    "engine-creator": Remedy(
        {"app/ledger.py": CREATOR.format(how=", creator=lambda: psycopg.connect()"), "tests/test_it.py": LEDGER},
        {"app/ledger.py": CREATOR.format(how="")},
        passes=1,
    ),
    "model-not-imported": Remedy(
        {"app/main.py": BASED, "app/base.py": BASE, "app/ports.py": EXTRA, "tests/test_it.py": PORTS},
        {"app/main.py": BASED + "import app.ports\n"},
        passes=1,
    ),
    "faker-seed": Remedy(
        {"tests/conftest.py": SHIP_FACTORY + "\n    @pytest.fixture\n    def faker_seed():\n        return 1\n"},
        {"tests/conftest.py": SHIP_FACTORY + "        __random_seed__ = 1\n"},
        off=(True, True),
    ),
    "shared-headers": Remedy(
        {"tests/conftest.py": HEADERS, "tests/test_it.py": BOTH}, {"tests/conftest.py": OWN_HEADERS}, passes=1
    ),
    "overrides-cleared": Remedy(
        {"tests/test_it.py": TRIVIAL + "        app.dependency_overrides.clear()\n"},
        {"tests/test_it.py": TRIVIAL},
        passes=1,
    ),
    "overrides-cleared, by hand": Remedy(
        {"tests/test_it.py": "def test_it():\n    app.dependency_overrides.clear()\n"},
        {"tests/test_it.py": "def test_it():\n    app.dependency_overrides.pop(get_db, None)\n"},
        off=(True, True),
        passes=1,
    ),
    "lifespan-not-run": Remedy(
        {"tests/conftest.py": CLIENT, "tests/test_it.py": STARTED.format(client="client")},
        {"tests/conftest.py": None, "tests/test_it.py": STARTED.format(client="async_client")},
        passes=1,
    ),
    "lifespan-not-run, by hand": Remedy(
        {"tests/conftest.py": CLIENT, "tests/test_it.py": STARTED.format(client="client")},
        {
            "tests/conftest.py": CLIENT.replace(
                "async with httpx.AsyncClient(transport=httpx.ASGITransport(app=app), base_url",
                "from asgi_lifespan import LifespanManager\n        async with LifespanManager(app) as manager, "
                "httpx.AsyncClient(transport=httpx.ASGITransport(app=manager.app), base_url",
            )
        },
        passes=1,
    ),
    "testcontainers-moved": Remedy(
        {"tests/conftest.py": "from testcontainers.postgres import PostgresContainer\n"},
        {"tests/conftest.py": "from testcontainers.community.postgres import PostgresContainer\n"},
    ),
    "url-unchanged": Remedy(
        {"tests/conftest.py": "def url(c):\n    return c.get_connection_url().replace('postgresql://', 'x://')\n"},
        {"tests/conftest.py": "def url(c):\n    return c.get_connection_url(driver='asyncpg')\n"},
    ),
    "container-per-worker": Remedy(
        {
            "tests/conftest.py": "from testcontainers.community.postgres import PostgresContainer\n\n"
            "@pytest.fixture(scope='session')\ndef server():\n    with PostgresContainer() as c:\n        yield c\n",
            "tests/test_it.py": TRIVIAL,
        },
        {"tests/conftest.py": None},
        passes=1,
    ),
    "greenlet-missing": Remedy(
        {"pyproject.toml": "[tool.pytest]\n", "requirements.txt": "sqlalchemy\n"},
        {"requirements.txt": "sqlalchemy[asyncio]\n"},
    ),
    "pytest-alembic": Remedy(machine=(BROKEN, {"versions": {**BROKEN["versions"], "pytest": "9.1.0"}})),
    "version-unsupported": Remedy(machine=(OLD, {"versions": {**VERSIONS, "pytest-asyncio": "1.0.0"}})),
    "names-clash": Remedy(
        {"tests/test_it.py": "def test_it(db_session):\n    assert db_session == 'mine'\n"},
        {"tests/conftest.py": "@pytest.fixture\ndef db_session():\n    return 'mine'\n"},
        machine=({"plugins": OTHER_PLUGIN}, {"plugins": OTHER_PLUGIN}),
        passes=1,
    ),
    "fixture-shadowed": Remedy(
        {
            "tests/conftest.py": SESSION.format(scope="").replace("def session", "def db_session"),
            "tests/test_it.py": TRIVIAL,
        },
        {"tests/conftest.py": None},
        passes=1,
    ),
    "crucible-off": Remedy({"tests/test_it.py": TRIVIAL}, off=(True, False), passes=1),
    "setting-wrong": Remedy(
        {"tests/test_it.py": TRIVIAL},
        lines=('crucible_isolation = "rolback"', 'crucible_isolation = "rollback"'),
        passes=1,
    ),
    "migrations-missing": Remedy(
        {"alembic.ini": INI.format(folder="alembic"), "migrations/env.py": ""},
        {"alembic.ini": INI.format(folder="%(here)s/migrations")},
        off=(True, True),
        lines=('crucible_alembic = "alembic.ini"', 'crucible_alembic = "alembic.ini"'),
    ),
    "schema-wrong": Remedy(
        {
            "db/schema.sql": "CREATE TABLE ships (id int PRIMARY KEY);",
            "tests/test_it.py": "async def test_it(db_session):\n    await db_session.execute(text('TABLE ships'))\n",
        },
        off=(True, True),
        lines=('crucible_schema = ["sql/*.sql"]', 'crucible_schema = ["db/*.sql"]'),
        passes=1,
    ),
    "path-missing": Remedy(
        {"tests/unit/test_it.py": "def test_it(): ...\n"},
        lines=('crucible_no_database = ["tests/units"]', 'crucible_no_database = ["tests/unit"]'),
        passes=1,
    ),
    "configuration-ignored": Remedy(
        {"pytest.ini": "[pytest]\n", "tests/test_it.py": TRIVIAL}, {"pytest.ini": None}, passes=1
    ),
    "unreadable-module": Remedy(
        {"tests/template.py": "def {{ name }}(): ...\n", "tests/test_it.py": TRIVIAL},
        {"tests/template.py": None, "tests/.templates/template.py": "def {{ name }}(): ...\n"},
        passes=1,
    ),
    "extension-missing": Remedy(
        lines=('crucible_extensions = ["postgis"]', 'crucible_extensions = ["postgis"]\ncrucible_server = "container"')
    ),
    "room": Remedy(machine=({"room": {"memory": 64 << 20}}, {"room": {"memory": 1 << 30}})),
    "cache": Remedy(machine=({"cache_error": "denied"}, {})),
    "file-descriptors": Remedy(machine=({"descriptors": 256}, {"descriptors": 4096})),
}
# Their remedies are followed where the server, or the import of the application, is at hand.
ELSEWHERE = {
    "import-fails": "test_settings.py",
    "server-unreachable": "test_server.py",
    "stale-databases": "test_server.py",
    "too-many-connections": "test_server.py",
    "stale-processes": "test_remains.py",
}
# The remedy says that nothing has to be done.
WITHOUT = {"runs-as-root"}
