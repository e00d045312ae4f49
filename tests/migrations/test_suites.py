"""The checks as tests of a project, and tests of its own at a revision."""

from __future__ import annotations

import pytest

from . import conftest as projects

CHECKS = """
from pytest_crucible.migrations import (
    test_downgrade_leaves_no_trace,
    test_models_match,
    test_single_head,
    test_stairway,
    test_upgrade,
)
"""


@pytest.fixture
def users(suite):
    """Two revisions over asyncpg; the second one splits a column."""
    suite.env(projects.ASYNC_ENV)
    suite.edit("alembic.ini", "postgresql+psycopg", "postgresql+asyncpg")
    suite.revision("0001", "Create TABLE users (id int PRIMARY KEY, name text NOT NULL)", "Drop TABLE users")
    suite.revision(
        "0002",
        "op.add_column('users', sa.Column('family', sa.Text))\n"
        "op.execute(\"UPDATE users SET family = split_part(name, ' ', 2), name = split_part(name, ' ', 1)\")",
        "op.execute(\"UPDATE users SET name = name || ' ' || family\")\nop.drop_column('users', 'family')",
        parent="0001",
    )
    return suite


def test_one_import_is_all(users):
    """Each revision is a test of its own, named after it; they run in any order and leave nothing."""
    before = set(users.admin.databases("crucible_"))
    done = users.run(CHECKS, "-v", "--deselect=test_models_match")
    names = ["test_downgrade_leaves_no_trace[[]0001]", "test_downgrade_leaves_no_trace[[]0002]", "test_single_head",
             "test_stairway[[]0001]", "test_stairway[[]0002]", "test_upgrade"]  # fmt: skip
    done.stdout.fnmatch_lines([f"*::{name}* PASSED*" for name in names])
    left = set(users.admin.databases("crucible_")) - before
    assert [name for name in left if not name.startswith("crucible_t_")] == []


@pytest.mark.slow
def test_what_a_failure_looks_like(users):
    """The message alone, without frames of Crucible's or of pytest's: revision, file, difference, what to do."""
    users.edit("migrations/versions/0002.py", "op.drop_column('users', 'family')", "pass")
    done = users.run(CHECKS, "-k", "trace or stairway")
    done.assert_outcomes(passed=2, failed=2)
    text = done.stdout.str()
    assert "The downgrade of revision 0002 (migrations/versions/0002.py) leaves traces" in text
    assert "+ table public.users: column family text" in text
    assert "revision 0002 (migrations/versions/0002.py) can be upgraded once, but not again" in text.replace(
        "Revision", "revision"
    )
    assert "site-packages" not in text
    assert "Traceback" not in text
    assert "checks.py:" not in text


@pytest.mark.slow
def test_a_broken_revision_breaks_no_other_check(users):
    """The template cannot be built, and still the checks say which revision it is, and pass before it."""
    users.revision("0003", "Drop TABLE nobody", parent="0002")
    done = users.run(CHECKS, "-v", "-k", "trace or stairway or single")
    done.assert_outcomes(passed=5, failed=2)
    done.stdout.fnmatch_lines(["*test_stairway[[]0002]* PASSED*", "*test_stairway[[]0003]* FAILED*"])


@pytest.mark.slow
def test_revisions_that_cannot_be_read(users):
    """It is an error of the checks, and not of the collection: the other tests of the suite run."""
    users.write("migrations/versions/0003.py", "revision = '0003'\ndown_revision = '0002'\nimport nosuchmodule")
    done = users.run(CHECKS + "\ndef test_other(): pass\n", "-k", "stairway or other")
    done.assert_outcomes(passed=1, failed=1)
    done.stdout.fnmatch_lines(["*migrations/versions/0003.py, line 3*nosuchmodule*"])


SURVIVING = """
import pytest
from sqlalchemy import text
from sqlalchemy.ext.asyncio import create_async_engine

application = create_async_engine("postgresql+asyncpg://app@db.production.invalid/app")

def test_by_the_database(migrations):
    with migrations.at("0001") as database:
        database.execute("INSERT INTO users VALUES (1, :name)", name="Ada Lovelace")
        database.upgrade("0002")
        assert database.execute("SELECT name, family FROM users") == [("Ada", "Lovelace")]
        database.downgrade("0001")
        assert database.execute("SELECT name FROM users") == [("Ada Lovelace",)]

@pytest.mark.parametrize("isolation", ["reset", "rollback", "clone"])
async def test_by_the_application(migrations, isolation):
    with migrations.at("0001") as database:
        async with application.begin() as connection:
            await connection.execute(text("INSERT INTO users VALUES (1, 'Ada Lovelace')"))
            assert (await connection.execute(text("SELECT * FROM users"))).all() == [(1, "Ada Lovelace")]
        database.upgrade("head")
        async with application.connect() as connection:
            assert (await connection.execute(text("SELECT * FROM users"))).all() == [(1, "Ada", "Lovelace")]
    async with application.connect() as connection:
        assert (await connection.execute(text("SELECT * FROM users"))).all() == []

async def test_by_fixtures(migrations, db_session, async_engine):
    with migrations.at("0001") as database:
        async with async_engine.begin() as connection:
            await connection.execute(text("INSERT INTO users VALUES (1, 'Ada Lovelace')"))
        database.upgrade("0002")
        assert (await db_session.execute(text("SELECT family FROM users"))).all() == [("Lovelace",)]
        await db_session.commit()
    assert (await db_session.execute(text("SELECT family FROM users"))).all() == []

def test_sync(migrations, sync_session):
    with migrations.at("0001") as database:
        sync_session.execute(text("INSERT INTO users VALUES (1, 'Ada Lovelace')"))
        sync_session.commit()
        database.upgrade("0002")
        assert sync_session.execute(text("SELECT family FROM users")).all() == [("Lovelace",)]
        sync_session.commit()
    assert sync_session.execute(text("SELECT family FROM users")).all() == []
"""


@pytest.mark.slow
def test_data_survives(users):
    """Rows that are inserted at a revision are there after the next, by whatever way one looks at them."""
    done = users.run(SURVIVING)
    done.assert_outcomes(passed=6)


@pytest.mark.slow
@pytest.mark.parametrize("isolation", ["rollback", "clone"])
def test_data_under_other_isolations(users, isolation):
    """A database at a revision is apart from the test's own, however that is isolated."""
    done = users.run(
        """
        from sqlalchemy import text
        from sqlalchemy.ext.asyncio import create_async_engine

        application = create_async_engine("postgresql+asyncpg://app@db.production.invalid/app")

        async def test_both(migrations, db_session):
            await db_session.execute(text("INSERT INTO users VALUES (7, 'Grace', 'Hopper')"))
            await db_session.commit()
            with migrations.at("0001") as database:
                database.execute("INSERT INTO users VALUES (1, 'Ada Lovelace')")
                database.upgrade("0002")
                assert database.execute("SELECT family FROM users") == [("Lovelace",)]
            assert (await db_session.scalars(text("SELECT family FROM users"))).all() == ["Hopper"]
        """,
        f"--crucible-isolation={isolation}",
    )
    done.assert_outcomes(passed=1)


@pytest.mark.slow
def test_an_open_transaction(users):
    """A session that holds locks would make the migration wait for ever: it is refused, with its statement."""
    done = users.run("""
        import pytest
        import pytest_crucible
        from sqlalchemy import text

        async def test_it(migrations, db_session):
            with migrations.at("0001") as database:
                await db_session.execute(text("INSERT INTO users VALUES (1, 'Ada Lovelace')"))
                with pytest.raises(pytest_crucible.MigrationError, match="INSERT INTO users") as caught:
                    database.upgrade("0002")
                assert "Commit" in str(caught.value)
                await db_session.rollback()
                database.upgrade("0002")
        """)
    done.assert_outcomes(passed=1)


@pytest.mark.slow
def test_no_such_revision(users):
    """It is named."""
    done = users.run("""
        import pytest
        import pytest_crucible

        def test_it(migrations):
            with pytest.raises(pytest_crucible.MigrationError, match="looking for revision '0009'"):
                migrations.at("0009").__enter__()
        """)
    done.assert_outcomes(passed=1)


@pytest.mark.slow
def test_a_test_of_ones_own_for_each_revision(users):
    """``each_revision`` makes one."""
    done = users.run(
        """
        from pytest_crucible.migrations import each_revision

        @each_revision
        def test_that_they_are_numbered(migrations, revision):
            assert len(revision) == 4
            with migrations.at(revision) as database:
                assert database.execute("SELECT version_num FROM alembic_version") == [(revision,)]
        """,
        "-v",
    )
    done.stdout.fnmatch_lines(["*numbered[[]0001]*PASSED*", "*numbered[[]0002]*PASSED*"])


@pytest.mark.slow
def test_several_histories(users):
    """A mark says which one a module checks; the template is built by its own."""
    users.write("other/alembic.ini", projects.INI)
    users.write("other/migrations/env.py", projects.SYNC_ENV)
    users.revision("a1", "Create TABLE events (id int)", "Drop TABLE events", folder="other/migrations/versions")
    done = users.run(
        f'import pytest\npytestmark = pytest.mark.crucible(alembic="other/alembic.ini")\n{CHECKS}',
        "-v",
        "-k",
        "stairway or head or upgrade",
    )
    done.stdout.fnmatch_lines(["*test_stairway[[]a1]*PASSED*", "*3 passed*"])


@pytest.mark.slow
def test_a_worker_database_that_tests_migrate(users):
    """A test may run Alembic on its own database, which then is cloned afresh; Alembic sees nothing of Crucible's."""
    users.edit("migrations/env.py", "target_metadata)", "target_metadata, include_schemas=True)")
    module = "from sqlalchemy import Column, Integer, MetaData, Table, Text\nmetadata = MetaData()\n"
    module += "Table('users', metadata, Column('id', Integer, primary_key=True, autoincrement=False),\n"
    module += "      Column('name', Text, nullable=False), Column('family', Text))\n"
    users.write("tables.py", module)
    users.edit("migrations/env.py", "target_metadata = None", "from tables import metadata as target_metadata")
    done = users.run("""
        import asyncio
        import pytest
        from alembic import command
        from alembic.config import Config
        from sqlalchemy import text

        def test_check():
            command.check(Config("alembic.ini"))

        def test_downgrade(sync_session):
            command.downgrade(Config("alembic.ini"), "base")
            command.upgrade(Config("alembic.ini"), "0001")
            sync_session.execute(text("INSERT INTO users VALUES (1, 'Ada Lovelace')"))

        async def test_in_a_loop(db_session):
            await asyncio.to_thread(command.downgrade, Config("alembic.ini"), "0001")
            assert (await db_session.execute(text("SELECT * FROM users"))).all() == []

        def test_afterwards(sync_session):
            assert sync_session.execute(text("SELECT id, name, family FROM users")).all() == []
        """)
    done.assert_outcomes(passed=4)


MEANWHILE = """
import asyncio
from contextlib import asynccontextmanager

from fastapi import FastAPI
from sqlalchemy import text
from sqlalchemy.ext.asyncio import create_async_engine
from sqlalchemy.pool import NullPool

engine = create_async_engine("postgresql+asyncpg://app@db.production.invalid/app", poolclass=NullPool)
seen = set()

async def look():
    while True:
        async with engine.connect() as connection:
            seen.add(await connection.scalar(text("SELECT current_database()")))
        await asyncio.sleep(0)

@asynccontextmanager
async def lifespan(app):
    task = asyncio.create_task(look())
    yield
    task.cancel()

app = FastAPI(lifespan=lifespan)
"""


@pytest.mark.slow
def test_an_application_that_runs_meanwhile(users):
    """A task of the lifespan goes on with its own database while a test is at a revision."""
    users.write("application.py", MEANWHILE)  # fmt: skip
    done = users.run(
        """
        import asyncio
        from application import engine, seen
        from sqlalchemy import text

        async def test_it(async_client, migrations, crucible):
            while not seen:
                await asyncio.sleep(0.01)
            with migrations.at("0001") as database:
                before = len(seen)
                async with engine.connect() as connection:
                    assert await connection.scalar(text("SELECT current_database()")) == database.name
                await asyncio.sleep(0.3)
            assert seen == {crucible.database}
        """,
        "--crucible-app=application:app",
    )
    done.assert_outcomes(passed=1)
