import asyncio

import pytest
from app import AsyncSession, Mail, Session, send
from sqlalchemy import select


@pytest.mark.parametrize("n", range(2))
async def test_async_then_sync(n):
    assert await send("ann") == 1
    with Session() as session:
        assert session.scalars(select(Mail.to)).all() == ["ann"]


@pytest.mark.parametrize("n", range(2))
async def test_sync_then_async(n):
    with Session() as session:
        session.add(Mail(to="bob"))
        session.commit()
    async with AsyncSession() as session:
        assert (await session.scalars(select(Mail.to))).all() == ["bob"]


def test_sync_only():
    with Session() as session:
        assert session.scalars(select(Mail)).all() == []


async def test_in_a_thread():
    def count():
        with Session() as session:
            return len(session.scalars(select(Mail)).all())

    await send("ann")
    assert await asyncio.to_thread(count) == 1
