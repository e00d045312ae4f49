"""Tests with Hypothesis: each example starts from the state in which the fixtures left the database."""

from __future__ import annotations

import pytest

GIVEN = """
from hypothesis import HealthCheck, example, given, settings, strategies as st

SEEN = []
quick = settings(max_examples=10, database=None)

@pytest.fixture(scope="module", autouse=True)
def seed():
    add("seed")

@pytest.fixture
def before():
    add("before")

ONE = st.integers(0, 9)

@pytest.mark.usefixtures("before", "sync_session")
@quick
@given(number=ONE)
def test_usefixtures(number):
    assert names() == ["before", "seed"] and next_id() == 3
    add(f"example {number}")

@quick
@given(number=ONE)
def test_sync_session(sync_session, number):
    user = sync_session.scalars(select(User)).one()
    SEEN.append(user)
    assert user.name == "seed"
    user.name = f"example {number}"
    sync_session.add(User(name="new"))
    sync_session.commit() if number % 2 else sync_session.flush()

@quick
@given(number=ONE)
def test_sets_a_variable(sync_session, number):
    assert sync_session.scalar(text("SHOW application_name")) == ""
    sync_session.execute(text("SET application_name = 'example'"))
    sync_session.commit()

class TestMethods:
    @pytest.mark.parametrize("parameter", [1, 2])
    @quick
    @given(number=ONE)
    def test_method(self, crucible, parameter, number):
        with crucible.checkpoint():
            add("inside")
        assert names() == ["seed"] and next_id() == 2
        add("example")

@quick
@example(number=100)
@example(number=200)
@given(number=ONE)
def test_explicit_examples(crucible, number):
    assert names() == ["seed"] and next_id() == 2
    add("example")
    crucible.checkpoint().__enter__()

@settings(max_examples=5, deadline=None, database=None)
@given(number=ONE)
def test_ddl(crucible, number):
    run("ALTER TABLE users ADD more int")
    assert names() == ["seed"]

def test_is_clean():
    assert names() == ["seed"] and next_id() == 2
"""


def test_synchronous_examples(project, head):
    """Rows, sequences and sessions are as fixtures left them in every example, with nothing to suppress."""
    project.run(head + GIVEN, "-W", "error").assert_outcomes(passed=8)


ASYNCHRONOUS = """
from hypothesis import HealthCheck, given, settings, strategies as st

quick = settings(max_examples=10, database=None)

@pytest.fixture
async def ada(db_session):
    user = User(name="ada")
    db_session.add(user)
    await db_session.commit()
    return user

@ANYIO
@settings(quick, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(name=st.text("abc", min_size=1))
async def test_requests(async_client, db_session, ada, query_log, name):
    assert ada.id == 1 and query_log.count == 0 and not async_client.cookies
    assert await db_session.scalar(select(func.count()).select_from(User)) == 1
    response = await async_client.post("/users", params={"name": name})
    assert response.status_code == 200
    async_client.cookies["session"] = async_client.headers["x-session"] = name
    db_session.add(User(name="bob"))
    await db_session.flush()
    assert await db_session.scalar(select(func.max(User.id))) == 3

@ANYIO
@settings(quick, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(number=st.integers())
async def test_again(db_session, number):
    db_session.add(User(name="ada"))
    await db_session.commit()
    assert await db_session.scalar(select(func.max(User.id))) == 1

def test_is_clean():
    assert names() == [] and next_id() == 1
"""


@pytest.mark.parametrize("runner", ["asyncio", "anyio"])
def test_asynchronous_examples(project, head, runner):
    """Under pytest-asyncio and anyio, an open session, the client's cookies and the query log are clean in each."""
    tests = ASYNCHRONOUS.replace("@ANYIO", "@pytest.mark.anyio" if runner == "anyio" else "")
    backend = '\n@pytest.fixture(scope="module")\ndef anyio_backend(): return "asyncio"\n'
    mode = "strict" if runner == "anyio" else "auto"
    result = project.run(head + tests + backend, "-W", "error", "-o", f"asyncio_mode={mode}")
    result.assert_outcomes(passed=3)


FAILING = """
from hypothesis import given, settings, strategies as st

@pytest.mark.crucible(keep=True)
@settings(max_examples=200, database=None, derandomize=True)
@given(names_=st.lists(st.text("abc", min_size=1), max_size=5))
def test_it(crucible, sync_session, names_):
    sync_session.add_all([User(name=name) for name in names_])
    sync_session.commit()
"""


def test_a_failing_example_is_shrunk(project, head):
    """The smallest failing example replays, and its error is that of the first failure."""
    result = project.run(head + FAILING)
    result.assert_outcomes(failed=1)
    handle = "*crucible=<test 'test_*::test_it', isolated by reset>,*"
    result.stdout.fnmatch_lines([handle, "*names_=?'?', '?'?,*", "crucible: kept*"])
    assert "Flaky" not in result.stdout.str()


COMPLAINTS = """
from hypothesis import HealthCheck, given, settings, strategies as st

quick = settings(max_examples=3, database=None)

@pytest.fixture
def other(): return 1

@quick
@given(number=st.integers())
def test_other(sync_session, other, number): ...

@pytest.mark.crucible(isolation="rollback")
@quick
@given(number=st.integers())
def test_rollback(sync_session, number): ...

@quick
@given(number=st.integers())
def test_none(tmp_path, number): ...

@quick
@given(number=st.integers())
def test_ours(sync_session, crucible, number): ...

@quick
@given(number=st.integers())
def test_again(sync_session, crucible, number): ...
"""


def test_the_health_check(project, head):
    """Hypothesis complains of fixtures that are not Crucible's, and where examples are not isolated."""
    result = project.run(head + COMPLAINTS)
    result.assert_outcomes(passed=2, failed=3)
    failed = [f"E *FailedHealthCheck: *::{name}'*" for name in ("test_other", "test_rollback", "test_none")]
    result.stdout.fnmatch_lines(failed)


LEFT_OPEN = """
from hypothesis import given, settings, strategies as st

@pytest.fixture
def unfinished(sync_session):
    sync_session.add(User(name="ada"))

@settings(max_examples=3, database=None)
@given(number=st.integers())
def test_leaks(crucible, number):
    connection = engine.connect()
    connection.execute(text("INSERT INTO users (name) VALUES ('ada')"))
    KEPT.append(connection)

@pytest.mark.usefixtures("unfinished")
@settings(max_examples=3, database=None)
@given(number=st.integers())
def test_unfinished(crucible, number): ...

KEPT = []
"""


def test_what_stands_in_the_way(project, head):
    """An example that leaves a transaction open gets a warning; rows that a fixture did not commit are an error."""
    result = project.run(head + LEFT_OPEN)
    result.assert_outcomes(passed=1, failed=1, warnings=1)
    result.stdout.fnmatch_lines(["*has objects to write: User*", "*LeakWarning: The test left a transaction open*"])


SLOW = """
from datetime import timedelta
from hypothesis import given, settings, strategies as st
from sqlalchemy import event
from pytest_crucible.isolation import checkpoints

@pytest.fixture
def slow(monkeypatch):
    reset = checkpoints.Checkpoints.reset
    def slow(*arguments, **named):
        import time
        time.sleep(0.03)
        return reset(*arguments, **named)
    monkeypatch.setattr(checkpoints.Checkpoints, "reset", slow)

@pytest.mark.usefixtures("slow")
@settings(max_examples=5, database=None, deadline=timedelta(milliseconds=20))
@given(number=st.integers())
def test_it(crucible, number): ...
"""


def test_the_deadline(project, head):
    """The time of a reset does not count against the deadline of a test."""
    project.run(head + SLOW).assert_outcomes(passed=1)


UNUSED = """
import sys

@pytest.fixture(autouse=True)
def hooks(pytestconfig):
    yield
    assert not pytestconfig.pluginmanager.hasplugin("crucible-examples")
    assert "hypothesis" not in sys.modules

async def test_it(crucible, db_session):
    with crucible.checkpoint():
        add("inside")
"""


@pytest.mark.slow
def test_a_project_without_hypothesis(project, head):
    """Nothing of Hypothesis is imported, and no hook registered, where the project does not import it."""
    project.run(head + UNUSED, process=True).assert_outcomes(passed=1)


DRAWN = """
from hypothesis import given, settings, strategies as st
from polyfactory.factories.sqlalchemy_factory import SQLAlchemyFactory

SEEN = set()

class UserFactory(SQLAlchemyFactory[User]): ...

@pytest.fixture
def first():
    return UserFactory.create_sync().name

@pytest.mark.usefixtures("first")
@settings(max_examples=5, database=None, deadline=None)
@given(number=st.integers())
def test_it(sync_session, number):
    UserFactory.create_sync()
    SEEN.add(tuple(names()))
    assert len(SEEN) == 1
"""


def test_factories(project, head):
    """What factories draw in one example they draw in the next, and it is another than what a fixture drew."""
    project.run(head + DRAWN).assert_outcomes(passed=1)
