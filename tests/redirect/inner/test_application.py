"""Tests as a user writes them; how each runs on a loop is chosen from outside."""

from __future__ import annotations

import asyncio

import pytest
from application import ENGINES, POOLS, engine
from loopkind import on_loop
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncSession

pytestmark = pytest.mark.parametrize("name", ENGINES)
PID = text("select pg_backend_pid()")


@on_loop
async def test_statement(name):
    """An engine is used by one test."""
    async with AsyncSession(ENGINES[name]) as session:
        assert (await session.execute(text("select 1"))).scalar_one() == 1
        await session.commit()


@on_loop
async def test_again(name):
    """And by the next."""
    async with AsyncSession(ENGINES[name]) as session:
        await session.execute(text("select 1"))


@on_loop
@pytest.mark.parametrize("_", range(2))
async def test_gather(name, _):
    """More sessions at once than the pool has connections."""

    async def one():
        async with ENGINES[name].connect() as connection:
            await connection.execute(text("select pg_sleep(0.01)"))

    if "static" not in name:
        await asyncio.gather(*(one() for _ in range(4)))


@on_loop
async def test_killed(name, control):
    """A backend is terminated while its connection is idle in the pool."""
    async with ENGINES[name].connect() as connection:
        pid = (await connection.execute(PID)).scalar_one()
    control.execute("select pg_terminate_backend(%s, 1000)", [pid])


@on_loop
async def test_condemned(name, redirect):
    """A condemned connection is not handed out again."""
    async with ENGINES[name].connect() as connection:
        pid = (await connection.execute(PID)).scalar_one()
    redirect.condemn([pid])
    async with ENGINES[name].connect() as connection:
        assert (await connection.execute(PID)).scalar_one() != pid


@on_loop
async def test_disposed(name):
    """The application disposes its engine, at first on a later loop than the one that connected."""
    await ENGINES[name].dispose()
    async with ENGINES[name].connect() as connection:
        await connection.execute(text("select 1"))
    await ENGINES[name].dispose()


@on_loop
async def test_own_engine(name):
    """A test makes an engine of its own and forgets it."""
    driver, pool = name.split("-")
    assert pool in POOLS
    async with engine(driver, pool).connect() as connection:
        await connection.execute(text("select 1"))


@on_loop
async def test_cancelled(name):
    """A task that holds a transaction is cancelled by the end of the loop."""
    if "static" in name or "narrow" in name:
        return

    started = asyncio.Event()

    async def hold():
        async with ENGINES[name].connect() as connection:
            await connection.execute(text("select 1"))
            started.set()
            await connection.execute(text("select pg_sleep(30)"))

    held = asyncio.create_task(hold())
    await started.wait()
    await asyncio.sleep(0.02)
    held.cancel()
    with pytest.raises(asyncio.CancelledError):
        await held


@on_loop
async def test_last(name):
    """After all that the engine still works."""
    async with ENGINES[name].connect() as connection:
        await connection.execute(text("select 1"))
