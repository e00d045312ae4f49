"""What belongs to an actor, what an actor may wait for, and what race() refuses."""

from __future__ import annotations

import asyncio
import os
import re

import pytest
from models import Account, Session, Tag, engine
from sqlalchemy import func, insert, select, text, update
from sqlalchemy.ext.asyncio import AsyncSession, create_async_engine

from pytest_crucible import RaceError, UsageError

URL = f"postgresql+{os.environ.get('DRIVER', 'asyncpg')}://app@db.production.invalid/app"


@pytest.fixture(autouse=True)
async def rows(db_session):
    db_session.add_all([Account(id=1, balance=100), Account(id=2, balance=100)])
    await db_session.commit()


async def read(number=1):
    async with Session() as session:
        return await session.scalar(select(Account.balance).where(Account.id == number))


async def write(number=1, balance=Account.balance + 1):
    async with Session() as session:
        await session.execute(update(Account).where(Account.id == number).values(balance=balance))
        await session.commit()


async def test_the_database_is_put_back(race, db_session):
    await race(write, write)
    assert await read() == 100


async def test_every_order_without_reduction(race):
    assert (await race(read, read, reduce=False)).orders == 6
    assert (await race(read, read)).orders < 6


async def test_readers_and_writers_of_other_tables(race):
    async def tag():
        async with Session() as session:
            session.add(Tag(name="tea"))
            await session.flush()
            await session.commit()

    exact = await race(write, tag, reduce=False)
    assert (exact.orders, exact.estimate, exact.is_exhaustive) == (6, 6, True)


async def test_limits(race):
    first = await race(write, read, read, orders=4)
    assert (first.orders, first.is_exhaustive) == (4, False)
    assert not (await race(write, write, switches=0)).is_exhaustive


async def test_the_fewest_switches(race):
    """Four switches make the names alternate; orders drawn at random have more of them."""

    async def add(name):
        async with engine.execution_options(isolation_level="AUTOCOMMIT").connect() as connection:
            for _ in range(5):
                await connection.execute(insert(Tag).values(name=name))

    async def names_do_not_alternate():
        async with Session() as session:
            names = await session.scalar(select(func.string_agg(Tag.name, text("'' ORDER BY id"))))
        return not re.search("a+b+a+b+a+b", names)

    with pytest.raises(RaceError, match="in one order of their statements, with 4 switches between them"):
        await race(lambda: add("a"), lambda: add("b"), invariant=names_do_not_alternate, reduce=False)


async def test_a_lock_of_the_event_loop(race):
    lock = asyncio.Lock()

    async def deposit():
        async with lock, Session() as session:
            account = await session.get(Account, 1)
            account.balance += 10
            await session.commit()

    async def balance():
        return await read() == 120

    result = await race(deposit, deposit, invariant=balance)
    assert result.is_timed
    assert not result.is_exhaustive


async def test_tasks_belong_to_their_actor(race):
    async def gathers():
        return await asyncio.gather(read(1), read(2))

    result = await race(gathers, write)
    assert {texts[0] for texts in result.outcomes} == {"[100, 100]", "[101, 100]"}


async def test_errors_that_are_allowed(race):
    async def fails():
        async with Session() as session:
            await session.execute(text("SELECT 1 / 0"))

    with pytest.raises(RaceError, match="division by zero"):
        await race(fails, read)
    assert (await race(fails, read, allowed=Exception)).is_exhaustive


async def test_an_order_is_replayed(race):
    async def deposit():
        await write(balance=await read() + 10)

    async def balance():
        assert await read() == 120

    with pytest.raises(RaceError) as caught:
        await race(deposit, deposit, invariant=balance)
    assert "Run once more, it failed again." in caught.value.do
    assert "+ (1,110)" in caught.value.why
    print("TOKEN", caught.value.do.rpartition("=")[2])


async def test_a_pool_that_is_too_small(race):
    engine = create_async_engine(URL, pool_size=1, max_overflow=0)

    async def deposit():
        async with AsyncSession(engine) as session:
            await session.scalar(select(func.count()).select_from(Account))

    with pytest.raises(UsageError, match="2 actors of the race use an engine whose pool has fewer connections"):
        await race(deposit, deposit)


async def test_actors(race):
    with pytest.raises(UsageError, match="at least two actors; it got 1"):
        await race(read)
    with pytest.raises(UsageError, match="got a coroutine"):
        await race(read(), read)
    with pytest.raises(UsageError, match="got 3, which is not a function"):
        await race(3, read)
    with pytest.raises(UsageError, match=r"race.run\(\) was called on an event loop"):
        race.run(read, read)


@pytest.mark.crucible(isolation="rollback")
async def test_rollback_isolation(race):
    with pytest.raises(UsageError, match=r"race\(\) needs reset or clone isolation"):
        await race(read, read)


@pytest.mark.crucible(isolation="clone")
async def test_clone_isolation(race):
    assert (await race(write, read)).is_exhaustive
