"""Applications as they come: factories, lifespans, roles of their own, synchronous clients."""

from __future__ import annotations

import pytest

LIFESPAN = """
import asyncio
import contextlib

from sqlalchemy import func, select, text

import app as base
from app import Session, User

started = []


@contextlib.asynccontextmanager
async def lifespan(app):
    started.append(app)
    async with Session.begin() as session:
        session.add(User(name="of the start"))
    listening = await base.engine.connect()
    await listening.execute(text("LISTEN news"))
    await listening.commit()
    task = asyncio.create_task(poll())
    yield
    task.cancel()
    with contextlib.suppress(asyncio.CancelledError):
        await task
    await listening.close()
    async with Session.begin() as session:
        session.add(User(name="of the end"))


async def poll():
    while True:
        async with Session.begin() as session:
            await session.scalar(select(func.count()).select_from(User))
            await asyncio.sleep(0.01)


def make():
    base.app.router.lifespan_context = lifespan
    return base.app
"""
TESTS = """
import asyncio, people, pytest
from service import started

@pytest.mark.parametrize("i", range(3))
async def test_client(async_client, i):
    assert people.names() == ["of the start"]
    await async_client.post("/users", params={"name": "ada"})
    await asyncio.sleep(0.03)
    assert people.names() == ["ada", "of the start"]

def test_none():
    people.add("ada")
    assert set(people.names()) - {"of the start"} == {"ada"}

async def test_number(async_client):
    assert len(started) == NUMBER
"""


SERVICE = """
[tool.pytest]
pythonpath = ["."]
crucible_app = "service:make"
crucible_metadata = ["app:Base"]
asyncio_mode = "auto"
"""


@pytest.mark.parametrize(
    ("scope", "number"), [("function", 4), pytest.param("module", 1, marks=pytest.mark.slow), ("session", 1)]
)
def test_a_factory_with_a_lifespan_that_writes_listens_and_polls(suite, scope, number):
    """Started once for each scope of loops; its rows are there for each test, and those of its end for none."""
    suite.configure(
        f"""
        asyncio_default_fixture_loop_scope = "{scope}"
        asyncio_default_test_loop_scope = "{scope}"
        filterwarnings = ["error"]
        """,
        text=SERVICE,
    )
    result = suite.run(
        service=LIFESPAN,
        test_it=TESTS.replace("NUMBER", str(number)),
        test_other=TESTS.partition("async def test_number")[0],
    )
    result.assert_outcomes(passed=9)


def test_the_synchronous_client(suite):
    """Starlette's TestClient runs lifespan and requests in a thread of its own; its lifespan belongs to the test."""
    result = suite.run(
        "--crucible-app=service:make",
        "-W",
        "error",
        service=LIFESPAN,
        test_it="""
        import people, pytest
        from fastapi.testclient import TestClient
        from service import make

        @pytest.fixture
        def client():
            with TestClient(make()) as client:
                yield client
            assert people.names() == ["ada", "of the end", "of the start"]

        @pytest.mark.parametrize("i", range(3))
        def test(client, i):
            assert client.post("/users", params={"name": "ada"}).status_code == 200
            assert people.names() == ["ada", "of the start"]

        def test_last(): assert people.names() == []
        """,
    )
    result.assert_outcomes(passed=4)


def test_a_client_of_a_wider_scope(suite):
    """A module-scoped TestClient is the layer of its fixture."""
    result = suite.run(
        "--crucible-app=service:make",
        "-W",
        "error",
        service=LIFESPAN,
        test_it="""
        import people, pytest
        from fastapi.testclient import TestClient
        from service import make

        @pytest.fixture(scope="class")
        def client():
            with TestClient(make()) as client:
                yield client

        class Test:
            @pytest.mark.parametrize("i", range(3))
            def test(self, client, i):
                assert people.names() == ["of the start"]
                assert client.post("/users", params={"name": "ada"}).status_code == 200
                assert people.names() == ["ada", "of the start"]

        def test_last(): assert people.names() == []
        """,
    )
    result.assert_outcomes(passed=4)


def test_async_client_in_a_synchronous_test(suite):
    """The client is there, without a lifespan: there is no loop to run it on."""
    result = suite.run(
        "--crucible-app=service:make",
        service=LIFESPAN,
        test_it="""
        import asyncio, people
        from service import started

        def test(async_client):
            asyncio.run(async_client.post("/users", params={"name": "ada"}))
            assert people.names() == ["ada"] and not started
        """,
    )
    result.assert_outcomes(passed=1)


def test_without_crucible_app(suite):
    """async_client says which option it needs; everything else works."""
    suite.configure(text="[tool.pytest]\npythonpath=['.']\ncrucible_metadata=['app:Base']\nasyncio_mode = 'auto'\n")
    result = suite.run(
        test_it="""
        from sqlalchemy import text
        async def test_client(async_client): pass
        async def test_session(db_session): assert await db_session.scalar(text("SELECT 1")) == 1
        """
    )
    result.assert_outcomes(passed=1, errors=1)
    result.stdout.fnmatch_lines(
        ["*async_client needs the application, and crucible_app is not set.", "*Write crucible_app*"]
    )


ROLES = """
from sqlalchemy import create_engine, event, text
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column

owner = create_engine("postgresql+psycopg://ledger_owner:x@db.production.invalid/ledger")
web = create_engine("postgresql+psycopg://ledger_web:x@db.production.invalid/ledger")
report = create_engine("postgresql+psycopg2://ledger_report:x@db.production.invalid/ledger")


class Base(DeclarativeBase):
    pass


class Account(Base):
    __tablename__ = "accounts"
    id: Mapped[int] = mapped_column(primary_key=True)
    tenant: Mapped[str]


class Secret(Base):
    __tablename__ = "secrets"
    id: Mapped[int] = mapped_column(primary_key=True)


@event.listens_for(Base.metadata, "after_create")
def grants(target, connection, **_):
    connection.execute(text("GRANT SELECT, INSERT ON accounts TO ledger_web"))
    connection.execute(text("GRANT USAGE ON SEQUENCE accounts_id_seq TO ledger_web"))
    connection.execute(text("ALTER TABLE accounts ENABLE ROW LEVEL SECURITY"))
    connection.execute(text("CREATE POLICY of_tenant ON accounts TO ledger_web USING (tenant = current_user)"))


def ask(engine, query):
    with engine.begin() as connection:
        found = connection.execute(text(query))
        return [tuple(row) for row in found] if found.returns_rows else None
"""


@pytest.mark.slow
def test_roles(suite):
    """Each engine connects as the role of its URL: privileges and row-level security hold as in production."""
    suite.configure(text="[tool.pytest]\npythonpath=['.']\ncrucible_metadata=['ledger:Base']\n")
    result = suite.run(
        process=True,  # the first engine's role is the owner, and there are engines of other tests in this process
        ledger=ROLES,
        test_it="""
        import pytest
        from ledger import ask, owner, report, web
        from sqlalchemy.exc import ProgrammingError

        @pytest.mark.parametrize("i", range(2))
        def test_roles(i):
            assert ask(owner, "SELECT current_user, rolsuper FROM pg_roles WHERE rolname = current_user") == [
                ("ledger_owner", False)]
            assert ask(web, "SELECT current_user") == [("ledger_web",)]
            ask(owner, "INSERT INTO accounts (tenant) VALUES ('ledger_web'), ('other')")
            assert ask(owner, "SELECT id, tenant FROM accounts ORDER BY id") == [(1, "ledger_web"), (2, "other")]
            assert ask(web, "SELECT tenant FROM accounts") == [("ledger_web",)]
            ask(web, "INSERT INTO accounts (tenant) VALUES ('ledger_web')")
            with pytest.raises(ProgrammingError, match="row-level security"):
                ask(web, "INSERT INTO accounts (tenant) VALUES ('other')")
            with pytest.raises(ProgrammingError, match="permission denied for table accounts"):
                ask(web, "DELETE FROM accounts")
            with pytest.raises(ProgrammingError, match="permission denied for table secrets"):
                ask(web, "SELECT * FROM secrets")
            with pytest.raises(ProgrammingError, match="must be owner of table|permission denied"):
                ask(web, "DROP TABLE accounts")

        def test_a_role_without_grants_joins_the_owner():
            assert ask(report, "SELECT * FROM secrets") == []
            assert ask(report, "SELECT current_user") == [("ledger_report",)]
            ask(report, "INSERT INTO accounts (tenant) VALUES ('x')")

        def test_nothing_is_left():
            assert ask(owner, "SELECT * FROM accounts") == []
        """,
    )
    result.assert_outcomes(passed=4)
    result.stdout.fnmatch_lines(
        ["crucible: role 'ledger_report' has no privileges of its own: it joins 'ledger_owner'*"]
    )
