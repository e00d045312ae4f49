"""What a role creates that joined the owner of the schema belongs to the owner."""

from __future__ import annotations

import pytest

APP = """
import os

from fastapi import FastAPI
from sqlalchemy import create_engine, text
from sqlalchemy.ext.asyncio import create_async_engine
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column

app = FastAPI()
engine = create_async_engine("postgresql+asyncpg://moth:secret@db.production.invalid/moths")


class Base(DeclarativeBase):
    pass


class Moth(Base):
    __tablename__ = "moths"
    id: Mapped[int] = mapped_column(primary_key=True)


def ask(engine, *statements):
    with engine.begin() as connection:
        for statement in statements:
            result = connection.execute(text(statement))
        return result.all() if result.returns_rows else None
"""

# The suite has engines of its own, whose role is that of its container.
TESTS = """
import pytest
from sqlalchemy import create_engine, text
from sqlalchemy.exc import DBAPIError
from sqlalchemy.ext.asyncio import create_async_engine

from app import Base, Moth, app, ask, engine

ours = create_engine("postgresql+{driver}://test:test@localhost:5433/test")
third = create_engine("postgresql+psycopg2://third@localhost/test")
asynchronous = create_async_engine("postgresql+asyncpg://test:test@localhost:5433/test")

@pytest.fixture(scope="session", autouse=True)
def tables():
    Base.metadata.drop_all(ours)
    Base.metadata.create_all(ours)
    yield
    Base.metadata.drop_all(ours)

async def insert(engine):
    async with engine.begin() as connection:
        await connection.execute(text("INSERT INTO moths DEFAULT VALUES"))
        return (await connection.execute(text("SELECT id FROM moths"))).scalars().all()

@pytest.mark.parametrize("n", range(2))
async def test_the_application(n):
    assert await insert(engine) == [1]

@pytest.mark.parametrize("n", range(2))
async def test_the_suite(n):
    assert await insert(asynchronous) == [1]

@pytest.mark.parametrize("n", range(2))
def test_more_ddl(n):
    ask(ours, "CREATE TABLE scratch (id serial)", "GRANT ALL ON moths TO test")
    ask(third, "INSERT INTO scratch DEFAULT VALUES", "ALTER TABLE scratch ADD by text DEFAULT current_user")
    assert ask(ours, "INSERT INTO scratch DEFAULT VALUES RETURNING by") == [("test",)]

def test_ddl_of_the_third():
    Base.metadata.drop_all(third)
    Base.metadata.create_all(third)

async def test_after_all_this(db_session):
    db_session.add(Moth())
    await db_session.commit()
    assert await db_session.scalar(text("SELECT count(*) FROM moths")) == 1
    assert (await insert(engine))[-1] == 2
"""


@pytest.fixture
def moths(shop):
    """Return an application with a role of its own."""
    shop.configure(
        """
        crucible_databases = []
        crucible_app = "app:app"
        crucible_metadata = ["app:Base"]
        """
    )
    (shop.root / "app.py").write_text(APP, "utf-8")
    return shop


@pytest.mark.slow
def test_a_suite_with_a_role_of_its_own_drops_and_creates_the_tables(moths):
    """The application may use what the suite's engine made, before and after a fresh clone, and the other way round."""
    moths.run(TESTS.format(driver="psycopg")).assert_outcomes(passed=8)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("driver", "first", "arguments"),
    [
        ("psycopg2", "application", []),
        ("psycopg", "application", ["--crucible-isolation=clone"]),
        ("psycopg2", "suite", ["--crucible-isolation=clone"]),
        ("psycopg", "suite", ["--crucible-isolation=rollback"]),
        ("psycopg2", "suite", ["-n", "2"]),
    ],
)
def test_in_every_isolation(moths, driver, first, arguments):
    """The role of the application's engine owns the schema; where that is made late, the suite's role does."""
    tests = TESTS.format(driver=driver)
    if first == "suite":
        late = "engine = create_async_engine("
        (moths.root / "app.py").write_text(APP.replace(late, f"make = lambda: {late.partition('= ')[2]}"), "utf-8")
        tests = tests.replace("ask, engine", "ask, make")
        tests = tests.replace("    yield\n", "    global engine\n    engine = make()\n    yield\n")
    moths.run(tests, *arguments, process="-n" in arguments).assert_outcomes(passed=8)


EVERYTHING = """
import pytest
from sqlalchemy import create_engine, text
from sqlalchemy.exc import DBAPIError

from app import app, ask, engine

ours = create_engine("postgresql+psycopg://test@localhost/test")
OWNERS = '''
    SELECT DISTINCT refobjid::regrole::text FROM pg_shdepend
     WHERE deptype = 'o' AND dbid = (SELECT oid FROM pg_database WHERE datname = current_database())
'''

def test_everything_that_has_an_owner():
    ask(
        ours,
        "CREATE SCHEMA s CREATE TABLE t (id serial PRIMARY KEY, n int GENERATED ALWAYS AS IDENTITY)",
        "CREATE TYPE s.e AS ENUM ('a')", "CREATE TYPE s.c AS (a int)", "CREATE DOMAIN s.d AS int CHECK (VALUE > 0)",
        "CREATE VIEW s.v AS SELECT * FROM s.t", "CREATE MATERIALIZED VIEW s.m AS SELECT * FROM s.t",
        "CREATE TABLE s.a AS SELECT 1 AS n", "SELECT 2 AS n INTO s.b", "CREATE SEQUENCE s.q",
        "CREATE FUNCTION s.f() RETURNS int LANGUAGE plpgsql AS $$ BEGIN CREATE TABLE s.inner_t (); RETURN 1; END $$",
        "CREATE TABLE s.nested AS SELECT s.f()",
        "DO $$ BEGIN CREATE TABLE s.in_do (); END $$",
        "CREATE EXTENSION citext SCHEMA s", "CREATE STATISTICS s.st ON id, n FROM s.t",
        "ALTER DEFAULT PRIVILEGES IN SCHEMA s GRANT SELECT ON TABLES TO PUBLIC", "CREATE TABLE s.later ()",
        "CREATE TEMP TABLE tmp (n int)", "INSERT INTO tmp VALUES (1)", "REFRESH MATERIALIZED VIEW s.m",
    )
    assert ask(ours, OWNERS) == [("moth",)]
    assert ask(ours, "SELECT has_table_privilege('public', 's.later', 'SELECT')") == [(True,)]
    with ours.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
        connection.execute(text("CREATE INDEX CONCURRENTLY i ON s.t (n)"))
        connection.execute(text("REINDEX INDEX CONCURRENTLY s.i"))
        assert connection.execute(text("SELECT current_user, session_user")).all() == [("test", "test")]
    ask(ours, "DROP SCHEMA s CASCADE")

def test_the_role_is_itself_before_and_after_ddl():
    who = text("SELECT current_user, session_user")
    with ours.connect() as connection:
        connection.execute(text("CREATE TABLE t ()"))
        assert connection.execute(who).all() == [("test", "test")]
        for broken in ("CREATE TABLE t ()", "CREATE TABLE u AS SELECT 1 / 0"):
            with pytest.raises(DBAPIError), connection.begin_nested():
                connection.execute(text(broken))
            assert connection.execute(who).all() == [("test", "test")]
        connection.execute(text(
            "DO $$ BEGIN CREATE TABLE t (); EXCEPTION WHEN duplicate_table THEN CREATE TABLE v (); END $$"
        ))
        assert connection.execute(who).all() == [("test", "test")]
        connection.execute(text("SET LOCAL ROLE moth"))
        connection.execute(text("CREATE TABLE w ()"))
        assert connection.execute(who).all() == [("moth", "test")]
        connection.rollback()
        assert connection.execute(who).all() == [("test", "test")]

@pytest.mark.parametrize("n", range(2))
def test_policies_see_who_connects(n):
    ask(
        ours,
        "CREATE TABLE notes (writer text DEFAULT current_user, session text DEFAULT session_user)",
        "ALTER TABLE notes ENABLE ROW LEVEL SECURITY", "ALTER TABLE notes FORCE ROW LEVEL SECURITY",
        "CREATE POLICY own ON notes USING (writer = current_user)",
        "INSERT INTO notes DEFAULT VALUES",
    )
    assert ask(ours, "SELECT * FROM notes") == [("test", "test")]
    ask(ours, "INSERT INTO notes VALUES (current_user, 'x') RETURNING 1")
    assert ask(ours, "SET LOCAL ROLE moth", "SELECT * FROM notes") == []
"""


def test_every_kind_of_object_and_who_the_role_is(moths):
    """Only DDL runs as the owner: current_user and session_user are those of production in every other statement."""
    moths.run(EVERYTHING).assert_outcomes(passed=4)
