import asyncio

import pytest
from app import Session, Trip
from sqlalchemy import func, select


async def travel(code):
    async with Session() as session:
        session.add(Trip(code=code))
        await session.commit()


@pytest.mark.parametrize("n", range(3))
async def test_read(n, db, countries):
    assert [country.name for country in countries] == ["Spain", "France"]
    await travel(countries[0].code)
    assert (await db.scalars(select(Trip.code))).all() == ["es"]


async def test_gather(db, countries):
    await asyncio.gather(*(travel(country.code) for country in countries))
    assert await db.scalar(select(func.count()).select_from(Trip)) == 2


async def test_streamed_and_left(db, countries):
    async for name in await db.stream_scalars(select(Trip.code)):
        raise AssertionError(name)
    assert countries[1].name == "France"
