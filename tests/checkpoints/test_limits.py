"""What a checkpoint refuses, and what it does about DDL."""

from __future__ import annotations

import psycopg
import pytest

from tests.checkpoints.modules import SCHEMA

OPEN = """
from pytest_crucible import UsageError

async def test_begin(crucible, db_session):
    async with Session() as session:
        session.add(User(name="ada"))
        await session.flush()
        with pytest.raises(UsageError, match="cannot begin while a transaction is open") as error:
            with crucible.checkpoint(): ...
        assert "in test_begin" in str(error.value) and "INSERT INTO users" in str(error.value)
        await session.commit()
    with crucible.checkpoint():
        add("grace")
    assert names() == ["ada"]

async def test_own_session(crucible, db_session, sync_session):
    db_session.add(User(name="ada"))
    with pytest.raises(UsageError, match="has objects to write: User"):
        with crucible.checkpoint(): ...
    await db_session.flush()
    with pytest.raises(UsageError, match="INSERT INTO users"):
        with crucible.checkpoint(): ...
    await db_session.commit()
    sync_session.execute(text("SELECT FROM users FOR UPDATE"))
    with pytest.raises(UsageError, match="FOR UPDATE"):
        with crucible.checkpoint(): ...

async def test_end(crucible):
    session = Session()
    with pytest.raises(UsageError, match="(?s)cannot end.*in test_end.*INSERT.*has rolled it back"):
        with crucible.checkpoint():
            session.add(User(name="ada"))
            await session.flush()
            add("grace")
    assert names() == []
    assert await session.scalar(select(func.count()).select_from(User)) == 0
    await session.close()

def test_round(crucible):
    with crucible.checkpoint() as checkpoint:
        connection = engine.connect()
        connection.execute(text("INSERT INTO users (name) VALUES ('ada')"))
        with pytest.raises(UsageError, match="cannot be reset.*"):
            checkpoint.reset()
        connection.close()
        add("ada")
        checkpoint.reset()
        assert names() == []

async def test_reading(crucible):
    async with Session() as session:
        assert await session.scalar(select(func.count()).select_from(User)) == 0
        with crucible.checkpoint():
            add("ada")
            assert await session.scalar(select(func.count()).select_from(User)) == 1
        assert await session.scalar(select(func.count()).select_from(User)) == 0

def test_the_error_of_the_block_goes_before(crucible):
    with pytest.raises(ZeroDivisionError), crucible.checkpoint():
        connection = engine.connect()
        connection.execute(text("INSERT INTO users (name) VALUES ('ada')"))
        1 / 0
    connection.close()
    assert names() == []

@pytest.mark.crucible(isolation="rollback")
def test_rollback(crucible):
    with pytest.raises(UsageError, match="needs reset or clone isolation"):
        with crucible.checkpoint(): ...

def test_order(crucible):
    with crucible.checkpoint() as outer:
        with crucible.checkpoint():
            with pytest.raises(UsageError, match="not the innermost open one"):
                outer.reset()
    with pytest.raises(UsageError, match="not the innermost open one"):
        outer.reset()
"""


def test_open_transactions(project, head):
    """An open transaction that has written is an error that names it; one that has only read stays."""
    project.run(head + OPEN, "-W", "error").assert_outcomes(passed=8)


@pytest.mark.slow
def test_schema_changes(project, head):
    """DDL costs a fresh clone, with what the test had committed; DDL from before a block stays until the test's end."""
    project.run(head + SCHEMA, "-W", "error").assert_outcomes(passed=6)


LAYERS = """
from pytest_crucible import UsageError
@pytest.fixture(scope="session")
def wide():
    add("wide")

@pytest.fixture(scope="class")
def narrow():
    add("narrow")
    yield
    assert names() == ["narrow", "wide"]

class TestIt:
    def test_it(self, wide, narrow, crucible):
        add("before")
        with crucible.checkpoint():
            run("DELETE FROM users WHERE name <> 'before'")
            add("inside")
        assert names() == ["before", "narrow", "wide"] and next_id() == 4

    def test_late(self, crucible, request):
        add("before")
        with crucible.checkpoint():
            add("inside")
        assert names() == ["before", "narrow", "wide"] and next_id() == 4

@pytest.fixture(scope="module")
def late():
    add("late")
    yield
    assert names() == ["late", "wide"]

def test_wide_within(crucible, request):
    add("before")
    with crucible.checkpoint() as checkpoint:
        request.getfixturevalue("late")
        add("inside")
        checkpoint.reset()
        assert names() == ["before", "late", "wide"]
    run("DELETE FROM users")

def test_stays(crucible): assert names() == ["late", "wide"]

@pytest.fixture(scope="module")
def changes_schema():
    run("CREATE TABLE more (id int)")

def test_ddl_of_a_wide_fixture(crucible, request):
    add("before")
    with pytest.raises(UsageError, match="after the test had"), crucible.checkpoint():
        request.getfixturevalue("changes_schema")
    assert names() == ["before", "late", "wide"]

def test_ddl_of_a_wide_fixture_in_time(changes_schema, crucible):
    add("before")
    with crucible.checkpoint():
        run("INSERT INTO more VALUES (1)")
    assert names() == ["before", "late", "wide"] and run("SELECT * FROM more") == []

def test_stays_too(crucible): assert names() == ["late", "wide"]
"""


def test_layers_below(project, head):
    """The rows of wide fixtures are there in every block, and stay for as long as their fixture."""
    project.run(head + LAYERS).assert_outcomes(passed=7)


KEPT = """
@pytest.mark.crucible(keep=True)
def test_fails(crucible):
    add("before")
    with crucible.checkpoint():
        add("inside")
    add("after")
    assert False

def test_is_clean(): assert names() == [] and next_id() == 1

@pytest.mark.crucible(keep=True, isolation="clone")
def test_fails_in_a_block(crucible):
    add("before")
    crucible.checkpoint().__enter__()
    add("inside")
    assert False

def test_is_clean_again(): assert names() == [] and next_id() == 1
"""


def test_kept_databases(project, project_server, head):
    """The database of a failed test is kept as the test has left it, and the next one is clean."""
    result = project.run(head + KEPT)
    result.assert_outcomes(passed=2, failed=2)
    found = {}
    for line in result.stdout.lines:
        if line.startswith("crucible: kept "):
            name = line.split()[2].rstrip(";")
            with psycopg.connect(**project_server[1].admin.to(name).libpq()) as connection:
                found[name] = [row[0] for row in connection.execute("SELECT name FROM users ORDER BY id")]
            with psycopg.connect(**project_server[1].admin.libpq(), autocommit=True) as connection:
                connection.execute(f"DROP DATABASE {name}")
    assert sorted(found.values()) == [["before", "after"], ["before", "inside"]]


CHILDREN = """
import subprocess
import sys

CHILD = '''
import asyncio, app
from sqlalchemy import text

async def main():
    async with app.Session.begin() as session:
        await session.execute(text("INSERT INTO users (name) VALUES ('child')"))

asyncio.run(main())
'''

@pytest.mark.parametrize("number", range(2))
def test_a_child_writes(crucible, number):
    add("before")
    with crucible.checkpoint():
        subprocess.run([sys.executable, "-c", CHILD], check=True, cwd=".")
        assert names() == ["before", "child"]
    assert names() == ["before"]
"""


@pytest.mark.slow
def test_child_processes(project, head):
    """What a child process commits in a block is put back."""
    project.run(head + CHILDREN.replace('cwd="."', f"cwd={str(project.root)!r}")).assert_outcomes(passed=2)


CONNECTING = """
import asyncio
import threading
from sqlalchemy import event

def on_connect(engine, wait, entered):
    @event.listens_for(engine, "connect")
    def initialise(connection, _):
        entered.set()
        connection.cursor().execute(f"SELECT pg_sleep({wait}), set_config('lock_timeout', '1min', false)")

@pytest.fixture(scope="session")
async def worker():
    engine = create_async_engine("postgresql+asyncpg://app@db.production.invalid/app")
    entered = asyncio.Event()
    on_connect(engine.sync_engine, 0.5, entered)
    async def work():
        async with engine.begin() as connection:
            return await connection.scalar(text("SELECT count(*) FROM users"))
    task = asyncio.create_task(work())
    yield entered, task
    assert await task == 0

async def test_a_task_of_a_fixture_connects(worker, crucible):
    entered, task = worker
    await entered.wait()
    await asyncio.sleep(0.05)
    with crucible.checkpoint() as checkpoint:
        add("ada")
        checkpoint.reset()
    assert not task.done() and names() == []
    await task

def test_a_thread_of_the_test_connects(crucible):
    engine, entered, errors = create_engine("postgresql+psycopg://app@db.production.invalid/app"), threading.Event(), []
    on_connect(engine, 0.5, entered)
    def work():
        try:
            with engine.begin() as connection:
                connection.execute(text("INSERT INTO users (name) VALUES ('grace')"))
        except Exception as error:
            errors.append(error)
    thread = threading.Thread(target=work)
    thread.start()
    assert entered.wait(60)
    with crucible.checkpoint() as checkpoint:
        add("ada")
        checkpoint.reset()
        assert thread.is_alive() and names() == []
    thread.join()
    assert errors == [] and names() == ["grace"]
    engine.dispose()
"""


def test_a_connection_that_its_pool_initialises(project, head):
    """A task or thread that connects while a checkpoint begins or resets has nothing open that must end."""
    project.run(head + CONNECTING, "-W", "error").assert_outcomes(passed=2)
