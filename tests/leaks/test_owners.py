"""Sessions, connections and threads that outlive a test go on working, whatever holds them."""

from __future__ import annotations

import pytest

SYNC = """
import threading
import time
from concurrent.futures import ThreadPoolExecutor

import pytest
from sqlalchemy import create_engine, func, select, text
from sqlalchemy.orm import Session, scoped_session, sessionmaker

from app import User

engine = create_engine("postgresql+{driver}://app@nowhere.invalid/app", pool_size=5, max_overflow=0, pool_timeout=2)
registry = scoped_session(sessionmaker(engine))
of_module = Session(engine)
kept = []


def count(session):
    return session.scalar(select(func.count()).select_from(User))


@pytest.fixture(scope="session")
def wide(disposed):
    with Session(engine) as session:
        yield session


@pytest.fixture(scope="session", autouse=True)
def disposed():
    yield
    registry.remove()
    of_module.close()
    for one in kept:
        one.close()
    engine.dispose()
"""
READERS = """
@pytest.mark.parametrize("n", range(2))
class TestOwners:
    of_class = Session(engine)

    def test_read(self, n, wide):
        for session in (wide, registry(), of_module, self.of_class):
            assert count(session) == 0

    def test_write(self, n, wide):
        for number, session in enumerate((wide, registry(), of_module, self.of_class), 1):
            session.add(User(name=f"user {number}"))
            session.commit()
            assert session.scalars(select(User.id).order_by(User.id)).all()[-1] == number

    def test_last(self, n):
        self.of_class.close()
"""
SYNC_DRIVERS = ("psycopg", pytest.param("psycopg2", marks=pytest.mark.slow))


@pytest.mark.parametrize(
    ("driver", "isolation"),
    [
        ("psycopg2", "clone"),
        pytest.param("psycopg", "reset", marks=pytest.mark.slow),
        pytest.param("psycopg", "clone", marks=pytest.mark.slow),
        pytest.param("psycopg2", "reset", marks=pytest.mark.slow),
    ],
)
def test_sessions_that_read(project, driver, isolation):
    """A session fixture, a scoped session, a module's and a class's session read on and write, without a warning."""
    result = project.run(SYNC.format(driver=driver) + READERS, "-Werror", f"--crucible-isolation={isolation}")
    result.assert_outcomes(passed=6)


FLUSHED = """
def test_flushes(wide):
    for session in (wide, registry(), of_module):
        session.add(User(name=str(id(session))))
        session.flush()

def test_next(wide):
    for number, session in enumerate((wide, registry(), of_module)):
        assert count(session) == number
        session.add(User(name=str(number)))
        session.commit()
"""


@pytest.mark.parametrize("isolation", ["reset", pytest.param("clone", marks=pytest.mark.slow)])
@pytest.mark.parametrize("driver", [pytest.param("psycopg", marks=pytest.mark.slow), "psycopg2"])
def test_sessions_that_are_flushed(project, driver, isolation):
    """What a wide session has flushed in a test is rolled back; the warning names the owner of each session."""
    result = project.run(SYNC.format(driver=driver) + FLUSHED, f"--crucible-isolation={isolation}")
    result.assert_outcomes(passed=2, warnings=1)
    output = result.stdout.str()
    assert "it seems to belong to the wide fixture 'wide'" in output
    assert "whose attribute 'registry' it is" in output
    assert "whose attribute 'of_module' it is" in output
    assert output.count("The transaction has been rolled back.") == 3
    assert "has been ended" not in output


ABORTED = """
@pytest.mark.parametrize("n", range(7))
def test_fails_and_keeps_its_session(n):
    session = Session(engine)
    kept.append(session)
    with pytest.raises(Exception, match="zero"):
        session.execute(text("SELECT 1/0"))

def test_goes_on():
    assert all(session.scalar(text("SELECT 1")) == 1 for session in kept[:4])
"""


@pytest.mark.parametrize("driver", ["psycopg", pytest.param("psycopg2", marks=pytest.mark.slow)])
def test_aborted_transactions(project, driver):
    """A session whose statement has failed is rolled back: its place in the pool is free, and it works again."""
    result = project.run(SYNC.format(driver=driver) + ABORTED)
    result.assert_outcomes(passed=8, warnings=7)
    result.stdout.re_match_lines([r".*LeakWarning: The test left an aborted transaction open: .*SELECT 1/0.*"])


CONNECTIONS = """
@pytest.mark.parametrize("n", range(7))
def test_forgets_its_connection(n):
    connection = engine.connect()
    kept.append(connection)
    connection.execute(text("INSERT INTO users (name) VALUES ('x')"))

def test_goes_on():
    for connection in kept[:3]:
        assert connection.scalar(text("SELECT count(*) FROM users")) == 0
"""


@pytest.mark.parametrize("driver", [pytest.param("psycopg", marks=pytest.mark.slow), "psycopg2"])
def test_connections_give_their_place_back(project, driver):
    """A connection that a test keeps and has written on frees its place in the pool, and connects anew when used."""
    result = project.run(SYNC.format(driver=driver) + CONNECTIONS)
    result.assert_outcomes(passed=8, warnings=7)


THREADS = """
class Poller(threading.Thread):
    def __init__(self):
        super().__init__()
        self.stop = threading.Event()
        self.error = None
        self.rounds = 0

    def run(self):
        try:
            while not self.stop.is_set():
                with Session(engine) as session:
                    session.scalars(select(User).with_for_update(skip_locked=True)).all()
                    time.sleep(0.02)
                    session.commit()
                self.rounds += 1
        except Exception as error:
            self.error = error

@pytest.fixture(scope="module")
def poller():
    thread = Poller()
    thread.start()
    yield thread
    thread.stop.set()
    thread.join()

@pytest.mark.parametrize("n", range(3))
def test_beside_a_poller(n, poller, wide):
    before = poller.rounds
    with Session(engine) as session:
        session.add(User(name="x"))
        session.commit()
    time.sleep(0.1)
    assert poller.error is None
    assert poller.rounds > before
"""


@pytest.mark.parametrize(
    ("driver", "isolation"),
    [
        ("psycopg", "reset"),
        pytest.param("psycopg2", "clone", marks=pytest.mark.slow),
        pytest.param("psycopg", "clone", marks=pytest.mark.slow),
        pytest.param("psycopg2", "reset", marks=pytest.mark.slow),
    ],
)
def test_a_thread_of_a_wide_fixture(project, driver, isolation):
    """A poller that locks rows while it sleeps works on, over resets and fresh clones."""
    result = project.run(SYNC.format(driver=driver) + THREADS, "-Werror", f"--crucible-isolation={isolation}")
    result.assert_outcomes(passed=3)


def test_a_thread_of_an_executor(project):
    """An executor's thread works for the code that submits, not for the fixture that started it."""
    result = project.run(
        SYNC.format(driver="psycopg")
        + """
@pytest.fixture(scope="module")
def executor():
    with ThreadPoolExecutor(1) as executor:
        executor.submit(time.sleep, 0).result()
        yield executor

def leak():
    session = Session(engine)
    kept.append(session)
    session.add(User(name="x"))
    session.flush()

def test_leaks(executor):
    executor.submit(leak).result()

def test_next(wide):
    assert count(wide) == 0
"""
    )
    result.assert_outcomes(passed=2, warnings=1)
    result.stdout.re_match_lines([r".*LeakWarning.*it seems to belong to a thread of the test\."])


ASYNC = """
import pytest
from sqlalchemy import func, select, text
from sqlalchemy.ext.asyncio import AsyncSession, create_async_engine

from app import User, app, get_db

engine = create_async_engine("postgresql+{driver}://app@nowhere.invalid/app", pool_size=2, max_overflow=0)
users = []


@pytest.fixture(scope="module")
async def wide():
    async with AsyncSession(engine, expire_on_commit=False) as session:
        session.add(User(name="seed"))
        await session.commit()
        yield session
    await engine.dispose()


async def names(session):
    return (await session.scalars(select(User.name).order_by(User.id))).all()


async def test_first(wide):
    users.append((await wide.scalars(select(User))).one())

@pytest.mark.parametrize("n", range(2))
async def test_as_an_override(wide, crucible, async_client, n):
    assert users[0].name == "seed"  # neither expired nor detached
    with crucible.overriding({{get_db: lambda: wide}}):
        assert (await async_client.post("/users", params={{"name": "x"}})).status_code == 200
    assert await names(wide) == ["seed", "x"]
    assert users[0] in wide

async def test_last(wide):
    assert await names(wide) == ["seed"]
"""


@pytest.mark.parametrize(
    ("driver", "isolation"),
    [
        ("asyncpg", "reset"),
        pytest.param("psycopg", "clone", marks=pytest.mark.slow),
        pytest.param("asyncpg", "clone", marks=pytest.mark.slow),
        pytest.param("psycopg", "reset", marks=pytest.mark.slow),
    ],
)
def test_a_module_s_asynchronous_session(project, driver, isolation):
    """It serves as a dependency override over several tests, and its objects keep what they have loaded."""
    result = project.run(ASYNC.format(driver=driver), "-Werror", f"--crucible-isolation={isolation}")
    result.assert_outcomes(passed=4)


DDL = """
async def test_ddl(wide):
    assert await names(wide) == ["seed"]
    users.append((await wide.scalars(select(User))).one())

@pytest.mark.parametrize("statement", ["CREATE INDEX ON users (name, id)", "TRUNCATE users"])
async def test_alters(statement):
    async with engine.begin() as connection:
        await connection.execute(text(statement))

async def test_after(wide):
    assert users[-1].name == "seed"
    assert await names(wide) == ["seed"]
"""


@pytest.mark.parametrize("driver", ["asyncpg", pytest.param("psycopg", marks=pytest.mark.slow)])
def test_ddl_beside_a_wide_reader(project, driver):
    """A test's DDL or TRUNCATE waits for a wide session's open read: that gives way, and reads on afterwards."""
    result = project.run(ASYNC.format(driver=driver).partition("async def test_first")[0] + DDL, "-Werror")
    result.assert_outcomes(passed=4)


@pytest.mark.slow
def test_all_leaks(project):
    """Where all are asked for, a transaction that only reads is reported once, and left open."""
    result = project.run(
        SYNC.format(driver="psycopg")
        + """
def test_reads():
    kept.append(Session(engine))
    assert count(kept[0]) == 0

def test_next():
    assert kept[0].in_transaction()
    assert count(kept[0]) == 0
""",
        "--crucible-leaks=all",
    )
    result.assert_outcomes(passed=2, warnings=1)
    result.stdout.re_match_lines([r".*LeakWarning: The test left a transaction open: .*count\(\*\).*"])
    result.stdout.re_match_lines([r".*in a finally\. It is still open\."])


def test_the_test_that_suffers(project):
    """An error that follows from an ended backend says so in its own test."""
    result = project.run(
        """
        import psycopg
        import pytest

        @pytest.fixture(scope="module")
        def raw(database_url):
            with psycopg.connect(database_url) as connection:
                yield connection

        def test_writes(raw):
            raw.execute("INSERT INTO users (name) VALUES ('x')")

        def test_suffers(raw):
            raw.execute("SELECT 1")
        """
    )
    result.assert_outcomes(passed=1, failed=1, warnings=1)
    result.stdout.re_match_lines([r".*Crucible ended a backend after .*::test_writes: backend \d+, idle in tr.*"])


@pytest.mark.slow
def test_a_session_of_a_module_that_wrote_before_the_tests(project):
    """What is flushed while modules are imported stays, as long as it blocks nothing."""
    result = project.run(
        SYNC.format(driver="psycopg")
        + """
of_module.add(User(name="flushed"))
of_module.flush()

@pytest.mark.parametrize("n", range(2))
def test_reads(n, wide):
    assert count(of_module) == 1
    assert count(wide) == 0
""",
        "-Werror",
    )
    result.assert_outcomes(passed=2)


@pytest.mark.slow
def test_threads_of_another_library(project):
    """A library that wraps the function of `Thread.run`, as Sentry does, works with threads of wide owners."""
    result = project.run(
        """
        import threading
        import pytest

        @pytest.fixture(scope="module")
        def answers():
            start, answers = threading.Thread.start, []

            def start_wrapped(self):
                function = getattr(self.run, "__func__", self.run)
                self.run = lambda: function(threading.current_thread())
                return start(self)

            threading.Thread.start = start_wrapped
            thread = threading.Thread(target=answers.append, args=(1,))
            thread.start()
            thread.join()
            threading.Thread.start = start
            return answers

        def test_ran(answers):
            assert answers == [1]
        """,
        "-Werror",
    )
    result.assert_outcomes(passed=1)


@pytest.mark.slow
def test_a_transaction_of_the_whole_run(project):
    """A fixture's transaction on its connection, with a savepoint for each test, is that fixture's to end."""
    result = project.run(
        SYNC.format(driver="psycopg2")
        + """
@pytest.fixture(scope="module")
def connection():
    with engine.connect() as connection, connection.begin() as outer:
        connection.execute(text("INSERT INTO users (name) VALUES ('seed')"))
        yield connection
        outer.rollback()

@pytest.fixture
def session(connection):
    with connection.begin_nested() as savepoint, Session(connection, join_transaction_mode="create_savepoint") as one:
        yield one
        one.close()
        savepoint.rollback()

@pytest.mark.parametrize("n", range(3))
def test_writes(session, n):
    assert count(session) == 1
    session.add(User(name="x"))
    session.commit()
    assert count(session) == 2
""",
        "-Werror",
    )
    result.assert_outcomes(passed=3)


def test_a_raw_connection_after_a_fresh_clone(project):
    """A raw driver's connection does not survive a fresh clone: the error names the test that cost the database."""
    result = project.run(
        """
        import psycopg
        import pytest

        @pytest.fixture(scope="module")
        def raw(database_url):
            with psycopg.connect(database_url, autocommit=True) as connection:
                yield connection

        def test_alters(raw):
            raw.execute("CREATE TABLE more (x int)")

        def test_suffers(raw):
            raw.execute("SELECT 1")
        """
    )
    result.assert_outcomes(passed=1, failed=1)
    result.stdout.re_match_lines([r".*made the worker database anew after .*::test_alters, which had changed.*"])


SET_ON_CONNECTIONS = """
@pytest.fixture(scope="module")
def autocommit(disposed):
    with engine.connect() as connection:
        yield connection.execution_options(isolation_level="AUTOCOMMIT")


@pytest.fixture(scope="module")
def repeatable(disposed):
    with engine.connect() as connection:
        connection.execution_options(isolation_level="REPEATABLE READ", postgresql_readonly=True)
        yield Session(connection)


@pytest.mark.parametrize("n", range(3))
def test_sees_its_writes(n, autocommit, repeatable):
    autocommit.execute(text("INSERT INTO users (name) VALUES ('ada')"))
    assert count(repeatable) == 1
    assert repeatable.scalar(text("SHOW transaction_isolation")) == "repeatable read"
    assert repeatable.scalar(text("SHOW transaction_read_only")) == "on"
"""


@pytest.mark.parametrize("driver", SYNC_DRIVERS)
def test_isolation_levels_after_a_fresh_clone(project, driver):
    """A wide connection that connects anew keeps the isolation level that its fixture has set on it."""
    result = project.run(SYNC.format(driver=driver) + SET_ON_CONNECTIONS, "-Werror", "--crucible-isolation=clone")
    result.assert_outcomes(passed=3)


SAVEPOINTS = """
@pytest.fixture(scope="module")
def reading(disposed):
    with Session(engine) as session:
        count(session)
        yield session


@pytest.mark.parametrize("n", range(3))
def test_rolls_back_to_a_savepoint(n, reading):
    if n == 2:
        reading.rollback()  # so its transaction begins in the test
    with reading.begin_nested() as savepoint:
        reading.add(User(name="ada"))
        reading.flush()
        savepoint.rollback()


def test_writes(reading):
    reading.add(User(name="ada"))
    reading.flush()


def test_next(reading):
    assert count(reading) == 0
"""


def test_a_savepoint_in_a_wide_session(project):
    """A rollback to a savepoint leaves nothing that is a leak; what the session writes after it is one."""
    result = project.run(SYNC.format(driver="psycopg") + SAVEPOINTS)
    result.assert_outcomes(passed=5, warnings=1)
    result.stdout.fnmatch_lines(["*::test_writes", "*LeakWarning: The test left a transaction open that has written*"])


BLOCKS = """
@pytest.fixture(scope="module")
def holders(disposed):
    with (
        engine.begin() as connection,
        Session(engine) as session,
        session.begin(),
        session.begin_nested(),
        sessionmaker(engine).begin() as made,
    ):
        yield connection, session, made


def test_reads(holders):
    assert [count(holder) for holder in holders] == [0, 0, 0]


@pytest.mark.parametrize("statement", ["CREATE TABLE more (x int)", "TRUNCATE users"])
def test_changes(statement, holders):
    with engine.begin() as connection:
        connection.execute(text(statement))
    assert [count(holder) for holder in holders] == [0, 0, 0]


@pytest.mark.parametrize("n", range(2))
@pytest.mark.filterwarnings("ignore::pytest_crucible.LeakWarning")
def test_writes(n, holders):
    assert [count(holder) for holder in holders] == [0, 0, 0]
    holders[1 + n].add(User(name="ada"))
    holders[1 + n].flush()


def test_last(holders):
    assert [count(holder) for holder in holders] == [0, 0, 0]
"""


@pytest.mark.parametrize("driver", SYNC_DRIVERS)
def test_holders_within_a_with_block(project, driver):
    """Wide sessions and connections in the block of their transaction work on after that has given way."""
    project.run(SYNC.format(driver=driver) + BLOCKS, "-Werror").assert_outcomes(passed=6)


@pytest.mark.slow
def test_a_session_whose_backend_was_ended_before_a_fresh_clone(project):
    """A wide session whose backend is gone gives it up with the others, and reads on from the fresh clone."""
    result = project.run(
        ASYNC.split("async def test_first", maxsplit=1)[0].format(driver="asyncpg")
        + """
async def test_ends_it(wide):
    pid = await wide.scalar(text("SELECT pg_backend_pid()"))
    async with engine.connect() as connection:
        await connection.execute(text("SELECT pg_terminate_backend(:pid, 2000)"), {"pid": pid})

async def test_reads_on(wide):
    assert await names(wide) == ["seed"]
""",
        "-Werror",
        "--crucible-isolation=clone",
    )
    result.assert_outcomes(passed=2)
