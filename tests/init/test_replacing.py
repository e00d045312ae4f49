"""Fixtures that Crucible makes needless are named, with the lines to delete, and stay as they are."""

import pytest

from .conftest import NAMED

APP = """
from fastapi import Depends, FastAPI
from sqlalchemy.ext.asyncio import AsyncSession, async_sessionmaker, create_async_engine
from sqlalchemy.orm import DeclarativeBase

engine = create_async_engine("postgresql+asyncpg://app:secret@db.invalid/app")
Session = async_sessionmaker(engine)
app = FastAPI()


class Base(DeclarativeBase): ...


async def get_db():
    async with Session() as session:
        yield session


@app.get("/")
async def index(db: AsyncSession = Depends(get_db)): ...
"""
HEAD = """
import pytest
from httpx import ASGITransport, AsyncClient
from sqlalchemy.ext.asyncio import AsyncSession, async_sessionmaker, create_async_engine
from sqlalchemy import create_engine
from testcontainers.postgres import PostgresContainer

from main import Base, app, engine, get_db

"""


def found(copy, conftest: str) -> dict[str, str | None]:
    """Return the name of each fixture that is named, and the fixture of Crucible in its place, if there is one."""
    project = copy()
    project.write(main_py=APP, tests__conftest_py=HEAD + conftest)
    before = project.files()
    code, printed = project.init("--yes")
    assert code == 0
    assert project.files()["tests/conftest.py"] == before["tests/conftest.py"]
    return {name: by or None for _, name, _, _, by in NAMED.findall(printed)}


SESSION = """
@pytest.fixture
async def {name}(engine_):
    async with engine_.connect() as connection:
        await connection.begin()
        yield AsyncSession(connection, join_transaction_mode="create_savepoint")
        await connection.rollback()
"""
ENGINE = """
@pytest.fixture(scope="session")
async def engine_():
    engine = create_async_engine("postgresql+asyncpg://test@localhost/test")
    yield engine
"""


def test_a_session_and_its_engine(copy):
    """A session of another name than Crucible's is named with the one to ask for, and so is its engine."""
    assert found(copy, SESSION.format(name="db") + ENGINE) == {"db": "db_session", "engine_": "async_engine"}
    assert found(copy, SESSION.format(name="db_session")) == {"db_session": None}


def test_a_container_and_its_synchronous_engine(copy):
    """Crucible has no fixture in their place."""
    text = """
@pytest.fixture(scope="session")
def container():
    with PostgresContainer() as container:
        yield container

@pytest.fixture(scope="session")
def db(container):
    return create_engine(container.get_connection_url())
"""
    assert found(copy, text) == {"container": None, "db": None}


def test_a_fixture_that_creates_a_database(copy):
    """It is named, and why: the role of the tests may create none."""
    project = copy()
    text = """
@pytest.fixture(scope="session", autouse=True)
def database():
    server = create_engine("postgresql://localhost/postgres", isolation_level="AUTOCOMMIT")
    with server.connect() as connection:
        connection.exec_driver_sql("CREATE DATABASE shop_test")
"""
    project.write(main_py=APP, tests__conftest_py=HEAD + text)
    _, printed = project.init("--yes")
    assert "database: delete lines 11 to 15. It runs CREATE DATABASE, which the tests' role may not;" in printed


HOOK = """
def pytest_{hook}(session):
    {body}
"""
DATABASE_WORK = {
    "a database": ("create_database(engine.url)", "It runs CREATE DATABASE"),
    "the tables": (
        "Base.metadata.drop_all(engine)\n    Base.metadata.create_all(engine)",
        "Crucible builds the schema once",
    ),
    "migrations": ("command.upgrade(Config('alembic.ini'), 'head')", "Crucible migrates once"),
    "migrations, in a process": ("subprocess.run(['alembic', 'upgrade', 'head'])", "Crucible migrates once"),
    "rows": ("execute('TRUNCATE ' + names)", "Crucible resets the database after each test"),
    "rows, table by table": (
        "for table in reversed(Base.metadata.sorted_tables):\n        execute(table.delete())",
        "Crucible resets the database after each test",
    ),
}


@pytest.mark.parametrize("work", DATABASE_WORK)
@pytest.mark.parametrize("hook", ["sessionstart", "runtest_teardown", None])
def test_hooks_and_fixtures_that_prepare_the_database(copy, work: str, hook: str | None):
    """A hook is named like a fixture, whether it makes the database, the schema or the rows anew."""
    body, why = DATABASE_WORK[work]
    made = HOOK.format(hook=hook, body=body) if hook else f"@pytest.fixture\ndef prepared():\n    {body}\n    yield\n"
    project = copy()
    imports = "import subprocess\nfrom alembic import command\nfrom alembic.config import Config\n"
    project.write(main_py=APP, tests__conftest_py=HEAD + imports + made)
    _, printed = project.init("--yes")
    name = f"pytest_{hook}" if hook else "prepared"
    line = next(line for line in printed.splitlines() if f" {name}: delete lines" in line)
    assert why in line


def test_a_hook_that_prepares_something_else(copy):
    """A hook without a statement for the database stays."""
    assert found(copy, HOOK.format(hook="sessionstart", body="os.environ['A'] = 'truncated'")) == {}


PER_TEST = """
@pytest.fixture
async def db():
    engine = create_async_engine("postgresql+asyncpg://test@localhost/test")
    async with engine.begin() as connection:
        await connection.run_sync(Base.metadata.create_all)
    async with AsyncSession(engine) as session:
        yield session
    async with engine.begin() as connection:
        await connection.run_sync(Base.metadata.drop_all)
"""


def test_a_session_that_makes_its_tables(copy):
    """A session with an engine and tables of its own is replaced as a whole."""
    assert found(copy, PER_TEST) == {"db": "db_session"}


def test_the_order(copy):
    """Each fixture is named before those that it requests, but a session before the client that shares it."""
    engine = ENGINE.replace("async def engine_()", "async def engine_(container)")
    container = (
        "@pytest.fixture(scope='session')\ndef container():\n    with PostgresContainer() as it:\n        yield it\n"
    )
    client = CLIENT.format(dependency="get_db", more="").replace("client():", "client(db):")
    assert list(found(copy, container + engine + SESSION.format(name="db") + client)) == [
        "db",
        "engine_",
        "client",
        "container",
    ]


def test_a_client_with_a_session_that_stays(copy):
    """A client that gives the application a session of the suite's stays with that session."""
    session = SESSION.format(name="db").replace("@pytest.fixture", "@pytest.fixture(params=[1, 2])")
    client = CLIENT.format(dependency="get_db", more="").replace("client():", "client(db):")
    assert found(copy, session + client) == {}


TWO = """
from main import get_reports
@pytest.fixture
async def client(db):
    app.dependency_overrides[get_db] = lambda: db
    app.dependency_overrides[get_reports] = lambda: db
    async with AsyncClient(transport=ASGITransport(app=app), base_url="http://test") as client:
        yield client
"""
REPORTS = """
async def get_reports():
    async with Session() as session:
        yield session

@app.get("/count")
async def count(db: AsyncSession = Depends(get_reports)) -> int:
    return await db.scalar(select(func.count()).select_from(Thing))

class Thing(Base):
    __tablename__ = "things"
    id: Mapped[int] = mapped_column(primary_key=True)
"""
COUNTED = """
from main import Thing
async def test_it(client, db):
    db.add(Thing())
    await db.flush()
    assert (await client.get("/count")).json() == 1
"""
SELECT = "from sqlalchemy import func, select\nfrom sqlalchemy.orm import Mapped, mapped_column\n"


def with_two(project) -> None:
    session = SESSION.format(name="db").replace("(engine_)", "()").replace("engine_", "engine")
    project.write(main_py=SELECT + APP + REPORTS, tests__conftest_py=HEAD + session + TWO, tests__test_it_py=COUNTED)
    project.write(pytest_toml='[pytest]\nasyncio_mode = "auto"\npythonpath = ["."]\n')


def test_a_client_that_overrides_two_sessions(copy):
    """It stays, in every run: Crucible gives the test's session to one dependency only."""
    project = copy()
    with_two(project)
    for _ in range(2):
        _, printed = project.init("--yes")
        assert [name for _, name, *_ in NAMED.findall(printed)] == ["db"]
    assert 'crucible_get_session = "main:get_db"' in project.files()["pytest.toml"]


@pytest.mark.slow
def test_two_sessions_after_the_deletions(copy):
    """The suite passes without the fixtures that are named."""
    project = copy()
    with_two(project)
    _, printed = project.init("--yes")
    assert "1 passed" in project.pytest()
    project.obey(printed)
    assert "1 passed" in project.pytest()


def test_a_session_that_is_filled(copy):
    """Without the fixture, the rows that a function of the project inserts for the tests would be missing."""
    session = "@pytest.fixture\ndef db():\n    with Session(engine) as session:\n        {}\n        yield session\n"
    session += "        session.rollback()\n"
    head = "from sqlalchemy.orm import Session\n\ndef first_user(session): ...\n\n"
    assert found(copy, head + session.format("first_user(session)")) == {}
    assert found(copy, head + session.format("print(session)")) == {"db": "sync_session"}


def test_an_engine_that_wide_fixtures_hold(copy):
    """Crucible's engine is made for each test: it cannot take the place of one that a wide fixture keeps."""
    maker = '@pytest.fixture(scope="session")\ndef sessions(engine_):\n    return async_sessionmaker(engine_)\n'
    assert found(copy, ENGINE + maker) == {}
    assert found(copy, ENGINE + maker.replace('(scope="session")', "")) == {"engine_": "async_engine"}


def test_the_names_are_said_again(copy):
    """A second run has nothing to write, and names the fixtures that are still there."""
    project = copy()
    project.write(main_py=APP, tests__conftest_py="import pytest\n@pytest.fixture\ndef event_loop(): ...\n")
    line = "tests/conftest.py:2 event_loop: delete lines 2 to 3. pytest-asyncio 1.0 removed it"
    assert line in project.init("--yes")[1]
    code, printed = project.init("--check")
    assert code == 0
    assert line in printed


CLIENT = """
@pytest.fixture
async def client():
    app.dependency_overrides[{dependency}] = lambda: None
    async with AsyncClient(transport=ASGITransport(app=app), base_url="http://test"{more}) as client:
        yield client
    app.dependency_overrides.clear()
"""


def test_clients_like_ours_and_others(copy):
    """A client with no override but the session's is Crucible's."""
    assert found(copy, CLIENT.format(dependency="get_db", more="")) == {"client": "async_client"}


def test_clients_with_more_than_ours(copy):
    """Headers of its own, or an override of something else, are lost with none of Crucible's fixtures."""
    assert found(copy, CLIENT.format(dependency="get_db", more=", headers={'a': 'b'}")) == {}


def test_clients_with_other_overrides(copy):
    """An override of something else than the session is the suite's own."""
    assert found(copy, CLIENT.format(dependency="get_user", more="")) == {}


def test_tables_made_for_each_test(copy):
    """A fixture that makes the tables for every test has nothing left to do."""
    text = """
@pytest.fixture(autouse=True)
async def tables():
    async with engine.begin() as connection:
        await connection.run_sync(Base.metadata.create_all)
    yield

@pytest.fixture
def five():
    return 5
"""
    assert found(copy, text) == {"tables": None}


MAKER = """
@pytest.fixture(name="maker")
async def {name}():
    async with engine.begin() as connection:
        await connection.run_sync(Base.metadata.drop_all)
        await connection.run_sync(Base.metadata.create_all)
    yield async_sessionmaker(engine)
"""


def test_tables_made_beside_a_value(copy):
    """A fixture that makes the tables, and yields a value that others request, keeps its yield."""
    project = copy()
    project.write(main_py=APP, tests__conftest_py=HEAD + MAKER.format(name="it"))
    code, printed = project.init("--yes")
    assert code == 0
    words = (
        "maker: delete the lines that create and drop the tables, and keep the yield. Crucible builds the schema once"
    )
    assert words in printed


UNITTEST = """
import unittest
from alembic import command
from sqlalchemy import text
from sqlalchemy.orm import Session

class Case(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.engine = create_engine("postgresql://localhost/test")
        with cls.engine.begin() as connection:
            connection.execute(text("DROP SCHEMA public CASCADE"))
        command.upgrade(config, "head")

    def setUp(self):
        self.connection = self.engine.connect()
        self.transaction = self.connection.begin()
        self.session = Session(self.connection, join_transaction_mode="create_savepoint")

    def tearDown(self):
        self.transaction.rollback()
"""


def test_methods_of_unittest(copy):
    """Methods around the tests of a class are named with the lines to delete."""
    project = copy()
    project.write(main_py=APP, tests__test_it_py=HEAD + UNITTEST)
    code, printed = project.init("--yes")
    assert code == 0
    assert " Case.setUpClass: delete the lines that drop and migrate the tables. Crucible migrates once" in printed
    assert " Case.setUp: bind the session to the engine, and delete the transaction around the test" in printed
    assert "tearDown:" not in printed


OWN = SESSION.format(name="db").replace("(engine_)", "()").replace("engine_", "engine")
MADE = """
    async with AsyncClient(transport=ASGITransport(app=app), base_url="http://test") as client:
        yield client
"""


@pytest.mark.parametrize(
    "text",
    [
        '@pytest.fixture(params=["a", "b"])\nasync def client(request):' + MADE,
        "@pytest.fixture\nasync def client():" + MADE.replace("//test", "//test/v1"),
        "@pytest.fixture\nasync def client():" + MADE.replace("(app=app)", "(app=app, raise_app_exceptions=False)"),
        "@pytest.fixture\nasync def client():" + MADE.replace("(app=app)", "(app=FastAPI())"),
        "class Test:\n    @pytest.fixture\n    def it(self):\n        return AsyncClient(transport=ASGITransport(app))",
        OWN.replace("yield AsyncSession(", "yield async_sessionmaker("),
        ENGINE.replace("test@localhost/test", 'test@localhost/test", execution_options={}, echo="'),
        "@pytest.fixture\ndef cache():\n    import testcontainers.redis as r\n    yield r.RedisContainer()",
    ],
)
def test_fixtures_that_are_not_named(copy, text):
    """Crucible has nothing with parameters, with other settings, or of another service."""
    assert found(copy, text) == {}


def test_a_session_from_a_session_maker(copy):
    """A session is one, too, where a maker of the suite's or the application's makes it."""
    text = "Maker = async_sessionmaker(engine)\n" + OWN.replace("yield AsyncSession(", "yield Maker(")
    assert found(copy, text) == {"db": "db_session"}
