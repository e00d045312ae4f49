"""Actors that end otherwise than by returning, or not at all; nothing hangs, and no transaction is left."""

from __future__ import annotations

import asyncio
import threading
import time

import pytest
from models import Account, Session
from sqlalchemy import select, text, update

from pytest_crucible import UsageError
from pytest_crucible.races import conductor

OPEN = """
SELECT count(*) FROM pg_stat_activity
 WHERE state LIKE 'idle in%' AND pid <> pg_backend_pid() AND datname = current_database()
"""


@pytest.fixture(autouse=True)
async def rows(db_session):
    db_session.add(Account(id=1, balance=100))
    await db_session.commit()


@pytest.fixture(autouse=True)
async def nothing_left(rows):
    yield
    async with Session() as session:
        assert await session.scalar(text(OPEN)) == 0
        assert await session.scalar(select(Account.balance)) == 100


async def read():
    async with Session() as session:
        return await session.get(Account, 1)


async def write():
    async with Session() as session:
        await session.execute(update(Account).values(balance=Account.balance + 1))
        await session.commit()


async def test_rows_are_told_by_their_columns(race):
    """Objects of the same row are one outcome."""
    result = await race(read, write)
    assert result.outcomes == {("Account(id=1, balance=100)", "None"): 5, ("Account(id=1, balance=101)", "None"): 1}


async def test_a_timeout_of_its_own(race):
    """An actor that gives up while it is held leaves the race, which depends on time."""

    async def hurries():
        async with asyncio.timeout(0.01):
            await read()

    async def dawdles():
        await write()
        await asyncio.sleep(0.1)
        await write()

    result = await race(dawdles, hurries, allowed=TimeoutError, orders=5)
    assert result.is_timed
    assert ("None", "TimeoutError") in result.outcomes


async def test_statements_without_end(race, monkeypatch):
    """An actor that sends statements forever is named."""
    monkeypatch.setattr(conductor, "MOST_STEPS", 20)

    async def loops():
        while True:
            await read()

    with pytest.raises(UsageError, match=r"20 steps and no end: A is done; B goes on after 'ROLLBACK' at .* in read\."):
        await race(write, loops)


async def test_a_thread_without_end(race, monkeypatch):
    """A thread that waits forever is named, and not waited for."""
    monkeypatch.setattr(conductor, "LIMIT_SECONDS", 0.3)
    began, end = time.monotonic(), threading.Event()
    with pytest.raises(UsageError, match=r"could go on for 0.3 s: A is done; B waits\."):
        await race(write, lambda: end.wait(60))
    assert time.monotonic() - began < 30
    end.set()


async def test_a_race_that_is_cancelled(race):
    """A race in a timeout ends its actors."""

    async def waits():
        await read()
        await asyncio.Event().wait()

    with pytest.raises(TimeoutError):
        async with asyncio.timeout(0.3):
            await race(write, waits)


async def test_an_exit(race):
    """The exit of an actor is the test's."""

    async def leaves():
        await read()
        raise SystemExit(3)

    with pytest.raises(SystemExit):
        await race(leaves, write)


async def test_statements_of_an_actor_at_the_same_time(race):
    """A step is over before the next one, though another one of the same actor is held."""

    async def both():
        async def one(number):
            async with Session() as session:
                await session.execute(update(Account).values(balance=number))
                found = await session.scalar(select(Account.balance))
                await session.commit()
                return found

        return await asyncio.gather(one(5), one(6))

    result = await race(both, read)
    assert result.is_exhaustive
    assert {texts[0] for texts in result.outcomes} == {"[5, 6]"}
