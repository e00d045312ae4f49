"""Sessions that get in each other's way on the one connection: an error that explains, never a row that is lost."""

from __future__ import annotations

import asyncio
import gc
import time
from concurrent.futures import ThreadPoolExecutor

import pytest
from sqlalchemy import text
from sqlalchemy.exc import IntegrityError
from sqlalchemy.ext.asyncio import AsyncSession

from pytest_crucible.errors import IsolationError


async def second(session, **words):
    """Return a session that code builds on the test's connection."""
    return AsyncSession(await session.connection(), expire_on_commit=False, **words)


async def write(session, name):
    await session.execute(text("insert into plain (name) values (:name)"), {"name": name})


async def names(session):
    return sorted(await session.scalars(text("select name from plain")))


def explains(error: IsolationError) -> None:
    """Found, why, and what to write."""
    assert "share one connection" in error.why
    assert '@pytest.mark.crucible(isolation="reset")' in error.do


def test_properly_nested(rolled_back):
    """A second session that begins and ends within the first is no problem."""

    async def body(a):
        await write(a, "a")
        async with await second(a) as b:
            await write(b, "b")
            await b.commit()
        async with await second(a) as c:
            await write(c, "c")
            await c.rollback()
        await a.commit()
        assert await names(a) == ["a", "b"]

    rolled_back(body)


def test_one_after_the_other(rolled_back):
    """So is a second one while the first has nothing open."""

    async def body(a):
        await write(a, "a")
        await a.commit()
        async with await second(a, join_transaction_mode="create_savepoint") as b:
            await a.rollback()
            await write(b, "b")
            await b.commit()
            await write(b, "c")
            await b.rollback()
        assert await names(a) == ["a", "b"]

    rolled_back(body)


def test_commit_below(rolled_back):
    """The first session commits while the second is open: PostgreSQL would destroy the second's savepoint."""

    async def body(a):
        await write(a, "a")
        b = await second(a)
        await write(b, "b")
        with pytest.raises(IsolationError, match="commits while another one has its transaction open") as found:
            await a.commit()
        explains(found.value)
        assert "commits: the one that began at tests/rollback/test_interleaving.py" in found.value.found
        with pytest.raises(IsolationError):  # nothing goes on as if nothing had happened
            await b.commit()
        await b.close()

    rolled_back(body)


def test_rollback_below(rolled_back):
    """The first session rolls back while the second is open: the second's rows would vanish."""

    async def body(a):
        await write(a, "a")
        b = await second(a)
        await write(b, "b")
        with pytest.raises(IsolationError, match="rolled back or closed while another one") as found:
            await a.close()
        explains(found.value)
        await b.close()

    rolled_back(body)


def test_rollback_over_what_another_committed(rolled_back):
    """The first session only read, the second committed, the first is closed: in production the row stays."""

    async def body(a):
        await names(a)
        b = await second(a)
        await write(b, "b")
        await b.commit()
        await b.close()
        with pytest.raises(IsolationError, match="began before another one wrote") as found:
            await a.close()
        explains(found.value)

    rolled_back(body)


def test_rollback_over_what_another_only_read(rolled_back):
    """The same without a row is nothing to complain about."""

    async def body(a):
        await write(a, "a")
        async with await second(a) as b:
            assert await names(b) == ["a"]
            await b.commit()
        await a.rollback()
        assert await names(a) == []

    rolled_back(body)


def test_a_statement_within_the_others_savepoint(rolled_back):
    """The first session writes while the second is open, and the second rolls back: the first's row would vanish."""

    async def body(a):
        await names(a)
        b = await second(a)
        await write(b, "b")
        await write(a, "a")
        with pytest.raises(IsolationError, match="began before another one wrote"):
            await b.rollback()
        await b.close()

    rolled_back(body)


def test_rows_of_the_orm_count(rolled_back, models):
    """What a flush writes belongs to the session that flushes."""

    async def body(a):
        await names(a)
        b = await second(a)
        await names(b)
        a.add(models.Plain(name="a"))
        await a.flush()
        b.add(models.Plain(name="b"))
        await b.flush()
        with pytest.raises(IsolationError, match="began before another one wrote"):
            await b.rollback()
        await b.close()

    rolled_back(body)


def test_an_error_of_another_session(rolled_back, models):
    """After an error no session goes on before a rollback: the other session is told why."""

    async def body(a):
        await write(a, "a")
        b = await second(a)
        b.add(models.Account(name="x"))
        await b.flush()
        with pytest.raises(IntegrityError):
            await b.execute(text("insert into account (name) values ('x')"))
        with pytest.raises(IsolationError, match="another session's statement had failed before") as found:
            await write(a, "a")
        explains(found.value)
        await b.close()

    rolled_back(body)


def test_an_error_of_its_own(rolled_back, models):
    """A session that goes on after its own error gets what it gets in production."""

    async def body(a):
        async with await second(a) as b:
            await names(b)
        with pytest.raises(Exception, match="no_such_table"):
            await a.execute(text("select * from no_such_table"))
        with pytest.raises(Exception, match="current transaction is aborted"):
            await names(a)
        await a.rollback()
        assert await names(a) == []

    rolled_back(body)


def test_a_session_that_was_dropped(rolled_back):
    """A second session that only read and was never closed blocks no other."""

    async def body(a):
        await write(a, "a")
        b = await second(a)
        await names(b)
        del b
        gc.collect()
        await a.commit()
        assert await names(a) == ["a"]

    rolled_back(body)


@pytest.mark.parametrize("mode", ["control_fully", "rollback_only"])
def test_a_session_that_joins_in_another_way(rolled_back, mode):
    """A rollback of a session that joins without a savepoint would end the outer transaction."""

    async def body(a):
        await write(a, "a")
        await a.commit()
        b = await second(a, join_transaction_mode=mode)
        await a.commit()
        await write(b, "b")
        with pytest.raises(IsolationError, match="outer transaction of this test would be rolled back"):
            await b.rollback()
        await b.close()

    rolled_back(body)


@pytest.mark.parametrize("how", ["commit", "rollback"])
def test_the_connections_own(rolled_back, how):
    """commit() and rollback() of the connection itself would end the outer transaction."""

    async def body(a):
        await write(a, "a")
        connection = await a.connection()
        with pytest.raises(IsolationError, match="outer transaction of this test would be"):
            await getattr(connection, how)()

    rolled_back(body)


@pytest.mark.parametrize(
    "statement", ["COMMIT", " rollback", "END", "ABORT", "prepare transaction 'x'", "Rollback Work"]
)
def test_sql_that_ends_transactions(rolled_back, statement):
    """So would COMMIT and ROLLBACK as SQL."""

    async def body(a):
        await write(a, "a")
        with pytest.raises(IsolationError, match="outer transaction of this test would be ended by"):
            await a.execute(text(statement))

    rolled_back(body)


@pytest.mark.parametrize("statement", ["rollback work to savepoint s", "ROLLBACK TO s", "release s"])
def test_sql_of_savepoints(rolled_back, statement):
    """Savepoints in SQL are the application's own business."""

    async def body(a):
        await write(a, "a")
        await a.execute(text("savepoint s"))
        await write(a, "b")
        await a.execute(text(statement))
        await a.commit()
        assert len(await names(a)) == 1 + (statement == "release s")

    rolled_back(body)


@pytest.mark.parametrize(
    ("statement", "why"),
    [
        ("vacuum plain", "cannot run inside a transaction"),
        ("create index concurrently i on plain (name)", "cannot run inside a transaction"),
        ("set transaction isolation level serializable", "only at its beginning"),
        ("do $$ begin commit; end $$", "ends the transaction from within a procedure"),
    ],
)
def test_statements_that_need_a_transaction_of_their_own(rolled_back, statement, why):
    """What PostgreSQL refuses within a transaction is explained, with its own message."""

    async def body(a):
        await names(a)
        with pytest.raises(IsolationError) as found:
            await a.execute(text(statement))
        assert why in found.value.why
        assert statement.split()[0] in found.value.found.lower()
        assert found.value.__cause__ is not None

    rolled_back(body)


def test_isolation_level(rolled_back):
    """A level of isolation cannot be had."""

    async def body(a):
        with pytest.raises(IsolationError, match="SERIALIZABLE"):
            await a.connection(execution_options={"isolation_level": "SERIALIZABLE"})

    rolled_back(body)


def test_begin_on_a_session_that_was_used(rolled_back):
    """The application's `session.begin()` meets a transaction that the test has begun."""

    async def body(a):
        await names(a)
        with pytest.raises(IsolationError, match=r"session.begin\(\) was called") as found:
            async with a.begin():
                pass
        assert "await db_session.commit()" in found.value.do

    rolled_back(body)


def test_gather(rolled_back):
    """Two tasks on one session at the same time."""

    async def body(a):
        found = await asyncio.gather(*(write(a, name) for name in "abc"), return_exceptions=True)
        errors = [error for error in found if error is not None]
        assert [type(error) for error in errors] == [IsolationError] * 2
        assert "used by two tasks at the same time" in errors[0].found
        assert "one is at     tests/rollback/test_interleaving.py" in errors[0].found
        assert '@pytest.mark.crucible(isolation="reset")' in errors[0].do

    rolled_back(body)


def test_gather_of_sessions(rolled_back):
    """Five sessions at once on the connection: every failure is explained, and no session waits for ever."""

    async def work(a, name):
        async with await second(a) as b:
            await write(b, name)
            await asyncio.sleep(0.01)
            await b.commit()

    async def body(a):
        await a.connection()
        found = await asyncio.gather(*(work(a, name) for name in "abcde"), return_exceptions=True)
        errors = [error for error in found if error is not None]
        assert errors
        assert [error for error in errors if not isinstance(error, IsolationError)] == []

    rolled_back(body)


def test_one_task_after_the_other(rolled_back):
    """Tasks that take turns are no problem: a middleware runs the application in a task of its own."""

    async def body(a):
        for name in "ab":
            await asyncio.ensure_future(write(a, name))
        assert await asyncio.ensure_future(names(a)) == ["a", "b"]

    rolled_back(body)


def test_swallowed(run, engine, rolled_back):
    """An error that the application turns into something else fails the test all the same."""

    async def body(a):
        await names(a)
        try:
            async with a.begin():
                pass
        except IsolationError:
            return 500

    async def outer(session):
        with run.sessions.explaining():
            assert await body(session) == 500

    with pytest.raises(IsolationError):
        rolled_back(outer)

    async def with_another(session):
        with run.sessions.explaining():
            assert await body(session) == 201

    with pytest.raises(IsolationError) as found:
        rolled_back(with_another)
    assert isinstance(found.value.__cause__, AssertionError)


def test_no_connection_yet(rolled_back):
    """get_bind() cannot wait for a connection, and says what to write."""

    async def body(a):
        with pytest.raises(IsolationError, match="is not connected yet"):
            a.get_bind()
        await a.connection()
        assert a.get_bind() is (await a.connection()).sync_connection

    rolled_back(body)


def test_two_loops(run, engine, rolled_back):
    """A session goes from one event loop to another: the error names the settings."""
    first, other = asyncio.new_event_loop(), asyncio.new_event_loop()
    with (
        run.isolated(run.new_test("test_x", "rollback", keep=False)) as test,
        run.sessions.async_session(engine, test) as session,
    ):
        first.run_until_complete(names(session))
        with pytest.raises(IsolationError, match="asyncio_default_test_loop_scope"):
            other.run_until_complete(names(session))
        first.close()
        with pytest.raises(IsolationError, match="the first one has ended"):
            other.run_until_complete(names(session))
    other.close()


def test_two_kinds_of_sessions(run, rolled_back):
    """db_session and sync_session do not see each other's rows, so that only one can be used."""

    async def body(a):
        await names(a)
        with (
            run.sessions.sync_session(run.new_test("test_x", "rollback", keep=False)) as session,
            pytest.raises(IsolationError, match="The test or the application uses both") as caught,
        ):
            session.execute(text("select 1"))
        lines = str(caught.value).splitlines()
        assert lines[1].startswith("  db_session: tests/rollback/")
        assert lines[2].startswith("  sync_session: tests/rollback/test_interleaving.py")

    rolled_back(body)


def test_threads(sync_rolled_back):
    """Two threads on one synchronous session at the same time."""

    def body(session):
        session.execute(text("select 1"))
        with ThreadPoolExecutor() as pool:
            asleep = pool.submit(session.execute, text("select pg_sleep(0.3)"))
            time.sleep(0.1)
            with pytest.raises(IsolationError, match="used by two tasks at the same time"):
                session.execute(text("select 1"))
            asleep.result()
        return session.scalar(text("select 1"))

    assert sync_rolled_back(body) == 1
