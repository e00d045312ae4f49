"""Fixtures that Crucible replaces go where nothing is lost with them."""

import pytest

from pytest_crucible.cli.scaffold import choices, replacing
from pytest_crucible.cli.scaffold.questions import Questions
from pytest_crucible.project import find, read

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


def found(copy, conftest: str, tests: str = "") -> dict[str, str | None]:
    """What becomes of each fixture: the name of ours, or None where it is deleted."""
    project = copy()
    project.write(main_py=APP, tests__conftest_py=HEAD + conftest, tests__test_it_py=tests)
    finds = find(read(project.root))
    settled = choices.settle(finds, Questions(yes=True, dry_run=False))
    return {one.fixture.name: one.by for one in replacing.replacements(finds, settled)}


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


def test_a_session_of_another_name(copy):
    """A session that tests ask for by a name of their own stays as another name of ours; its engine goes."""
    text = SESSION.format(name="db") + ENGINE
    assert found(copy, text, "def test_it(db): ...") == {"db": "db_session", "engine_": None}


def test_an_engine_that_tests_ask_for(copy):
    """An engine that somebody asks for stays as another name of ours."""
    text = SESSION.format(name="db_session") + ENGINE
    assert found(copy, text, "def test_it(engine_): ...") == {"db_session": None, "engine_": "async_engine"}


def test_a_synchronous_engine_that_is_needed(copy):
    """There is none of ours: it stays, and so does the container that it needs."""
    text = """
@pytest.fixture(scope="session")
def container():
    with PostgresContainer() as container:
        yield container

@pytest.fixture(scope="session")
def db(container):
    return create_engine(container.get_connection_url())
"""
    assert found(copy, text, "import pytest\n@pytest.mark.usefixtures('db')\ndef test_it(): ...") == {}
    assert found(copy, text) == {"container": None, "db": None}


CLIENT = """
@pytest.fixture
async def client():
    app.dependency_overrides[{dependency}] = lambda: None
    async with AsyncClient(transport=ASGITransport(app=app), base_url="http://test"{more}) as client:
        yield client
    app.dependency_overrides.clear()
"""


def test_clients_like_ours_and_others(copy):
    """A client with headers, or with another override than the session's, does something of its own, and stays."""
    test = "def test_it(client): ..."
    assert found(copy, CLIENT.format(dependency="get_db", more=""), test) == {"client": "async_client"}


def test_clients_with_more_than_ours(copy):
    """Headers of its own, or an override of something else, are lost with none of ours."""
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


OWN = SESSION.format(name="db").replace("(engine_)", "()").replace("engine_", "engine")
MADE = """
    async with AsyncClient(transport=ASGITransport(app=app), base_url="http://test") as client:
        yield client
"""


@pytest.mark.parametrize(
    "text",
    [
        '@pytest.fixture(params=["a", "b"])\nasync def client(request):' + MADE,
        '@pytest.fixture(scope="session")\nasync def client():' + MADE,
        "@pytest.fixture\nasync def client(monkeypatch):" + MADE,
        "@pytest.fixture\nasync def client():" + MADE.replace("yield", 'client.headers["a"] = "b"\n        yield'),
        "@pytest.fixture\nasync def client():" + MADE.replace("yield client", "yield client, 1"),
        "@pytest.fixture\nasync def client():" + MADE.replace("//test", "//test/v1"),
        "@pytest.fixture\nasync def client():" + MADE.replace("(app=app)", "(app=app, raise_app_exceptions=False)"),
        "@pytest.fixture\nasync def client():" + MADE.replace("(app=app)", "(app=FastAPI())"),
        "@pytest.fixture\ndef client():\n    return lambda: AsyncClient(transport=ASGITransport(app=app))",
        "class Test:\n    @pytest.fixture\n    def it(self):\n        return AsyncClient(transport=ASGITransport(app))",
        OWN.replace("yield", 'await connection.execute(text("select 1"))\n        yield'),
        OWN.replace("yield AsyncSession(", "yield async_sessionmaker("),
        OWN.replace("async def", "async def db_session(db):\n    yield 1\n\n@pytest.fixture\nasync def"),
        ENGINE.replace("test@localhost/test", 'test@localhost/test", execution_options={}, echo="'),
        "@pytest.fixture\ndef cache():\n    import testcontainers.redis as r\n    yield r.RedisContainer()",
    ],
)
def test_what_does_more_stays(copy, text):
    """Nothing of ours has parameters, a wider scope, effects of its own, or hands something else to the tests."""
    assert found(copy, text) == {}


def test_a_session_from_a_session_maker(copy):
    """A session is one, too, where a maker of the suite's or the application's makes it."""
    text = "Maker = async_sessionmaker(engine)\n" + OWN.replace("yield AsyncSession(", "yield Maker(")
    assert found(copy, text) == {"db": None}


def test_what_is_asked_for_by_name(copy):
    """A fixture that a test names in a string, or another module imports, is needed."""
    for tests in (
        "import pytest\n@pytest.mark.parametrize('name', ['db'])\ndef test_it(name, request): ...",
        "from tests.conftest import db\ndef test_it(): ...",
    ):
        assert found(copy, OWN, tests) == {"db": "db_session"}


def test_another_name_in_a_module_without_pytest(copy):
    """The other name needs pytest itself, which a module with pytest-asyncio's decorators may lack."""
    project = copy()
    text = (HEAD + OWN).replace("import pytest\n", "import pytest_asyncio\n").replace("@pytest.", "@pytest_asyncio.")
    project.write(main_py=APP, tests__conftest_py=text, tests__test_it_py="def test_it(db): ...")
    assert project.init("--yes")[0] == 0
    assert project.files()["tests/conftest.py"].startswith("import pytest\n")
    assert "@pytest.fixture\ndef db(db_session):\n    return db_session\n" in project.files()["tests/conftest.py"]


def test_a_name_that_two_folders_give_to_different_fixtures(copy):
    """A client over a session that stays in its folder stays with it, though another of that name goes."""
    project = copy()
    own = (HEAD + OWN, HEAD + OWN.replace("yield", 'await connection.execute("select 1")\n        yield'))
    client = "\n\n@pytest.fixture\nasync def client(db):" + MADE
    project.write(main_py=APP, tests__a__conftest_py=own[0] + client, tests__b__conftest_py=own[1] + client)
    finds = find(read(project.root))
    settled = choices.settle(finds, Questions(yes=True, dry_run=False))
    assert [one.fixture.name for one in replacing.replacements(finds, settled)] == ["db"]
