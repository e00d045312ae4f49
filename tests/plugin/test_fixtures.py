"""Markers, fixtures of the user's own, event loops, and what is imported before any test."""

from __future__ import annotations

import pytest

NO_SCOPE = """
[tool.pytest]
pythonpath = ["."]
crucible_app = "app:app"
crucible_metadata = ["app:Base"]
asyncio_mode = "auto"
"""
COUNT = """
import people, pytest
from app import Session, User
from sqlalchemy import func, select, text

async def count(session):
    return await session.scalar(select(func.count()).select_from(User))
"""


@pytest.mark.parametrize(
    ("marker", "expected"),
    [
        ("isolaton='clone'", "*isolaton*"),
        ("isolation='savepoint'", "*there is no isolation 'savepoint'*"),
        ("'clone'", "*takes 0 positional arguments*"),
    ],
)
def test_a_misspelt_marker(suite, marker, expected):
    """The test with the wrong argument fails in a few lines, and the others run."""
    result = suite.run(
        test_it=f"""
        import people, pytest
        @pytest.mark.crucible({marker})
        def test_a(): people.add("ada")
        def test_b(): assert people.names() == []
        """
    )
    result.assert_outcomes(passed=1, errors=1)
    result.stdout.fnmatch_lines([expected])
    assert "site-packages" not in result.stdout.str()
    assert "src/pytest_crucible" not in result.stdout.str()


def test_markers_of_class_and_module_and_test(suite):
    """The nearest marker wins, argument by argument; the handle says what holds."""
    result = suite.run(
        test_it="""
        import people, pytest
        pytestmark = pytest.mark.crucible(isolation="clone", keep=True)

        def test_module(crucible): assert (crucible.isolation, crucible.keep) == ("clone", True)

        @pytest.mark.crucible(isolation="reset")
        class TestClass:
            def test_class(self, crucible): assert (crucible.isolation, crucible.keep) == ("reset", True)
            @pytest.mark.crucible(keep=False)
            def test_own(self, crucible): assert (crucible.isolation, crucible.keep) == ("reset", False)
        """
    )
    result.assert_outcomes(passed=3)


def test_clone_isolation_by_marker(suite):
    """What no reset puts back is gone with the database: a role's setting, a comment, another schema."""
    result = suite.run(
        test_it="""
        import people, pytest
        from sqlalchemy import text

        def oid():
            with people.engine.connect() as connection:
                return connection.scalar(text("SELECT oid FROM pg_database WHERE datname = current_database()"))
        oids = []

        def test_a(): oids.append(oid())
        @pytest.mark.crucible(isolation="clone")
        def test_b(): people.add("ada"); oids.append(oid())
        def test_c(): assert people.names() == []; oids.append(oid())
        def test_d(): oids.append(oid())
        def test_e(): assert oids[0] == oids[1] and oids[2] == oids[3] != oids[0]
        """
    )
    result.assert_outcomes(passed=5)


def test_the_users_fixture_of_the_same_name_wins(suite):
    """A conftest that already has a db_session and a crucible keeps them, and tests are put back all the same."""
    result = suite.run(
        conftest="""
        import app, pytest

        @pytest.fixture
        async def db_session():
            async with app.Session() as session:
                session.mine = True
                yield session

        @pytest.fixture
        def crucible():
            return "mine"
        """,
        test_it=COUNT
        + """
async def test_a(db_session, crucible):
    assert db_session.mine and crucible == "mine"
    db_session.add(User(name="ada"))
    await db_session.commit()

async def test_b(db_session):
    assert await count(db_session) == 0
""",
    )
    result.assert_outcomes(passed=2)


ASYNCIO = """
import pytest_asyncio

@FIXTURE
async def ada(db_session):
    db_session.add(User(name="ada"))
    await db_session.commit()
    yield
    assert await count(db_session) == 3

MARK
@pytest.mark.parametrize("i", range(3))
async def test_all(async_client, db_session, async_engine, ada, i):
    assert (await async_client.post("/users", params=dict(name="bob"))).status_code == 200
    async with Session.begin() as session:
        session.add(User(name="eve"))
    async with async_engine.connect() as connection:
        assert await connection.scalar(select(func.count()).select_from(User)) == 3
    assert await count(db_session) == 3

MARK
class TestClass:
    async def test_method(self, async_client, db_session):
        assert (await async_client.post("/users", params=dict(name="bob"))).status_code == 200
        assert await count(db_session) == 1

def test_sync(sync_session):
    assert sync_session.scalar(select(func.count()).select_from(User)) == 0
"""


@pytest.mark.parametrize(
    ("scope", "mode"),
    [
        ("function", "auto"),
        ("module", "strict"),
        ("session", "auto"),
        pytest.param("function", "strict", marks=pytest.mark.slow),
        pytest.param("module", "auto", marks=pytest.mark.slow),
        pytest.param("session", "strict", marks=pytest.mark.slow),
    ],
)
def test_pytest_asyncio(suite, mode, scope):
    """Each mode with each scope of loops, with async fixtures, the client and sessions, and nothing left to warn of."""
    mark = "" if mode == "auto" else "@pytest.mark.asyncio"
    fixture = "pytest.fixture" if mode == "auto" else "pytest_asyncio.fixture"
    suite.configure(
        f"""
        asyncio_mode = "{mode}"
        asyncio_default_fixture_loop_scope = "{scope}"
        asyncio_default_test_loop_scope = "{scope}"
        filterwarnings = ["error"]
        """,
        text="[tool.pytest]\npythonpath = ['.']\ncrucible_app = 'app:app'\ncrucible_metadata = ['app:Base']\n",
    )
    result = suite.run(test_it=COUNT + ASYNCIO.replace("FIXTURE", fixture).replace("MARK", mark))
    result.assert_outcomes(passed=5)


@pytest.mark.parametrize("mode", ["auto", "marked"])
def test_anyio(suite, mode):
    """The same under anyio's plugin, without pytest-asyncio, on asyncio."""
    mark = "" if mode == "auto" else "pytestmark = pytest.mark.anyio"
    anyio_mode = 'anyio_mode = "auto"' if mode == "auto" else ""
    suite.configure(
        f"""
        filterwarnings = ["error"]
        {anyio_mode}
        """,
        text="[tool.pytest]\npythonpath = ['.']\ncrucible_app = 'app:app'\ncrucible_metadata = ['app:Base']\n",
    )
    result = suite.run(
        "-p",
        "no:asyncio",
        test_it=COUNT
        + f"""
{mark}

@pytest.fixture(scope="module")
def anyio_backend():
    return "asyncio"

@pytest.fixture(scope="module")
async def catalogue(anyio_backend):
    async with Session.begin() as session:
        session.add(User(name="of the module"))

@pytest.fixture
async def ada(db_session):
    db_session.add(User(name="ada"))
    await db_session.commit()
    yield
    assert await count(db_session) == 3

@pytest.mark.parametrize("i", range(3))
async def test_all(catalogue, async_client, db_session, ada, i):
    assert (await async_client.post("/users", params=dict(name="bob"))).status_code == 200
    assert await count(db_session) == 3
""",
    )
    result.assert_outcomes(passed=3)


def test_parametrised_wide_fixtures(suite):
    """Each parameter's rows are there for as long as it is, and no longer."""
    suite.configure('asyncio_default_fixture_loop_scope = "class"\n', text=NO_SCOPE)
    result = suite.run(
        test_it=COUNT
        + """
@pytest.fixture(scope="class", params=["a", "b", "c"])
async def one(request):
    async with Session.begin() as session:
        session.add(User(name=request.param))
    return request.param

@pytest.fixture(scope="module", params=["x", "y"])
def other(request):
    people.add(request.param)
    return request.param

class TestOne:
    def test_one(self, one): assert people.names() == [one]; people.add("z")
    def test_one_again(self, one): assert people.names() == [one]; people.add("z")

class TestNone:
    def test_none(self): assert people.names() == []

class TestBoth:
    def test_both(self, one, other): assert people.names() == [one, other]; people.add("z")
    def test_other(self, other): assert {other} <= set(people.names()) <= {"a", "b", "c", other}; people.add("z")
""",
    )
    result.assert_outcomes(passed=6 + 1 + 6 + 2)


def test_what_is_done_at_import(suite):
    """An application that creates its tables and a conftest that inserts rows, before any test: both are kept."""
    result = suite.run(
        conftest="""
        import people, app
        app.Base.metadata.create_all(people.engine)
        people.add("of the conftest")
        """,
        test_it="""
        import people
        people.add("of the module")
        def test_a(): assert people.names() == ["of the conftest", "of the module"]; people.add("ada")
        def test_b(): assert people.names() == ["of the conftest", "of the module"]
        """,
    )
    result.assert_outcomes(passed=2)


def test_an_application_that_connects_while_it_is_imported(suite):
    """crucible_app is imported to build the template; that its import needs the template is no deadlock."""
    at_import = """
from sqlalchemy import create_engine, text
at_import = create_engine("postgresql+psycopg://app@db.production.invalid/app")
Base.metadata.create_all(at_import)
with at_import.begin() as connection:
    connection.execute(text("INSERT INTO users (name) VALUES ('of the application')"))

app = FastAPI()
"""
    suite.write(app=(suite.root / "app.py").read_text().replace("app = FastAPI()", at_import))
    test = """
    import people
    def test_a(): assert people.names() == ["of the application"]; people.add("ada")
    def test_b(): assert people.names() == ["of the application"]
    """
    suite.run(test_it=test).assert_outcomes(passed=2)
    suite.run(test_it=test, conftest="import app").assert_outcomes(passed=2)


def test_a_plugin_module_of_the_project_overrides_a_fixture(suite):
    """A fixture in a module that a conftest names in pytest_plugins wins over Crucible's, as in the conftest."""
    result = suite.run(
        conftest='pytest_plugins = ["doubles"]',
        doubles="""
        import pytest

        @pytest.fixture
        def async_client(): return "theirs"
        """,
        test_it="""
        def test_theirs(async_client): assert async_client == "theirs"
        """,
    )
    result.assert_outcomes(passed=1)
