"""One session in rollback isolation: what commit, rollback and errors do, over each driver."""

from __future__ import annotations

import asyncio
from contextlib import suppress

import pytest
from sqlalchemy import func, select, text
from sqlalchemy.exc import IntegrityError, PendingRollbackError

from pytest_crucible.errors import IsolationError


async def names(session, models):
    return sorted(await session.scalars(select(models.Account.name)))


def test_nothing_is_sent_before_the_first_statement(run, rolled_back):
    """A test that does not use its session opens no connection."""

    async def body(session):
        assert run.worker.redirect.connections() == []
        assert not session.in_transaction()

    rolled_back(body)


def test_one_connection(run, rolled_back, models):
    """A commit gives no connection back: everything happens on one."""

    async def body(session):
        first = await session.scalar(text("select pg_backend_pid()"))
        await session.commit()
        assert await session.scalar(text("select pg_backend_pid()")) == first
        assert len(run.worker.redirect.connections()) == 1

    rolled_back(body)


def test_commit_and_rollback(rolled_back, models, count):
    """What was committed survives a rollback; no other connection ever sees it."""

    async def body(session):
        session.add(models.Account(name="kept"))
        await session.commit()
        session.add(models.Account(name="dropped"))
        await session.flush()
        assert await names(session, models) == ["dropped", "kept"]
        await session.rollback()
        assert await names(session, models) == ["kept"]
        assert count("account") == 0

    rolled_back(body)


def test_an_error_takes_nothing_but_its_own_transaction(rolled_back, models):
    """After an IntegrityError and a rollback the rows that a fixture committed are there."""

    async def body(session):
        session.add(models.Account(name="fixture"))
        await session.commit()
        session.add(models.Account(name="fixture"))
        with pytest.raises(IntegrityError):
            await session.commit()
        with pytest.raises(PendingRollbackError):
            await names(session, models)
        await session.rollback()
        assert await names(session, models) == ["fixture"]

    rolled_back(body)


def test_nested(rolled_back, models):
    """begin_nested() is a savepoint within the session's own."""

    async def body(session):
        session.add(models.Account(name="outer"))
        async with session.begin_nested():
            session.add(models.Account(name="inner"))
        with suppress(ZeroDivisionError):
            async with session.begin_nested():
                session.add(models.Account(name="lost"))
                await session.flush()
                raise ZeroDivisionError
        await session.commit()
        assert await names(session, models) == ["inner", "outer"]

    rolled_back(body)


def test_expire(rolled_back, models):
    """An object that was expired is read again, with what SQL has written meanwhile."""

    async def body(session):
        account = models.Account(name="a")
        session.add(account)
        await session.commit()
        assert account.name == "a"  # expire_on_commit=False, or this would be I/O
        await session.execute(text("update account set name = 'b'"))
        session.expire(account)
        await session.refresh(account)
        assert account.name == "b"

    rolled_back(body)


def test_begin_in_a_block(rolled_back, models):
    """`async with session.begin()` commits and rolls back as ever."""

    async def body(session):
        async with session.begin():
            session.add(models.Account(name="a"))
        with suppress(ZeroDivisionError):
            async with session.begin():
                session.add(models.Account(name="b"))
                await session.flush()
                raise ZeroDivisionError
        assert await names(session, models) == ["a"]

    rolled_back(body)


def test_close_in_the_middle(rolled_back, models):
    """A session that was closed begins anew, and what it had committed is there."""

    async def body(session):
        session.add(models.Account(name="a"))
        await session.commit()
        async with session:
            session.add(models.Account(name="b"))
            await session.flush()
        assert await names(session, models) == ["a"]

    rolled_back(body)


def test_whatever_failed(rolled_back, models):
    """A test that fails in the middle of a transaction leaves nothing, and its error is its own."""

    async def body(session):
        session.add(models.Account(name="a"))
        await session.flush()
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        rolled_back(body)


def test_an_aborted_transaction(rolled_back, models):
    """A test that ends after an error, without a rollback, leaves nothing."""

    async def body(session):
        session.add(models.Account(name="a"))
        await session.commit()
        with pytest.raises(Exception, match="no_such_table"):
            await session.execute(text("select * from no_such_table"))

    rolled_back(body)


def test_a_killed_connection(run, rolled_back, models):
    """A backend that was ended in the test is no obstacle to the next one."""

    async def body(session):
        pid = await session.scalar(text("select pg_backend_pid()"))
        run.worker.connect().terminate([pid])

    async def ask(session):
        return await session.scalar(text("select 1"))

    rolled_back(body)
    assert rolled_back(ask) == 1


def test_a_cancelled_statement(rolled_back, models):
    """A statement that was cut off in the middle leaves nothing."""

    async def body(session):
        session.add(models.Account(name="a"))
        await session.commit()
        with pytest.raises(asyncio.TimeoutError):
            await asyncio.wait_for(session.execute(text("select pg_sleep(10)")), 0.05)

    rolled_back(body)


@pytest.mark.parametrize("cancelled", [True, False])
def test_a_task_that_is_left(rolled_back, models, cancelled):
    """A task that is still in the middle of a statement at the end leaves nothing."""

    async def body(session):
        session.add(models.Account(name="a"))
        await session.commit()
        task = asyncio.ensure_future(session.execute(text("select pg_sleep(10)")))
        await asyncio.sleep(0.05)
        assert not task.done()
        if cancelled:
            task.cancel()

    rolled_back(body)


def test_ddl(rolled_back, models):
    """A table that the test makes is gone afterwards."""

    async def body(session):
        await session.execute(text("create table extra (id integer)"))
        await session.execute(text("insert into extra values (1)"))
        await session.commit()
        assert await session.scalar(text("select count(*) from extra")) == 1

    async def look(session):
        return await session.scalar(text("select to_regclass('extra')"))

    rolled_back(body)
    assert rolled_back(look) is None


def test_sequences_are_put_back(rolled_back, models):
    """The first row of each test has the first number, though no rollback takes a sequence back."""

    async def body(session):
        account = models.Account(name="a")
        session.add(account)
        await session.flush()
        return account.id

    assert [rolled_back(body) for _ in range(3)] == [1, 1, 1]


def test_after_its_test(run, engine, models):
    """A session that was kept says that its test is over."""
    loop = asyncio.new_event_loop()
    with (
        run.isolated(run.new_test("test_x", "rollback", keep=False)) as test,
        run.sessions.async_session(engine, test) as session,
    ):
        loop.run_until_complete(session.execute(select(func.count()).select_from(models.Account)))
    with pytest.raises(IsolationError, match="used after its test"):
        loop.run_until_complete(session.execute(text("select 1")))
    loop.close()


def test_synchronous(sync_rolled_back, models):
    """sync_session does the same: commits stay in the test, an error takes only its own transaction."""

    def body(session):
        session.add(models.Account(name="a"))
        session.commit()
        session.add(models.Account(name="a"))
        with pytest.raises(IntegrityError):
            session.flush()
        session.rollback()
        return list(session.scalars(select(models.Account.name)))

    assert sync_rolled_back(body) == ["a"]
    assert sync_rolled_back(body) == ["a"]
