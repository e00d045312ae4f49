import asyncio

import pytest
from app import Sale, Session, sell, sell_many, turnover
from sqlalchemy import select
from sqlalchemy.exc import IntegrityError


@pytest.mark.parametrize("n", range(3))
async def test_five_at_once(n, shop):
    assert shop.id == 1
    await sell_many(shop.id, range(5))
    assert await turnover(shop.id) == 10


async def test_more_than_the_pool_holds(shop):
    await sell_many(shop.id, range(20))
    assert await turnover(shop.id) == 190


async def test_one_of_several_fails(shop):
    results = await asyncio.gather(*(sell(key, 1) for key in (1, 999, 1)), return_exceptions=True)
    assert [type(result) for result in results] == [type(None), IntegrityError, type(None)]
    assert await turnover(shop.id) == 2


async def test_empty():
    async with Session() as session:
        assert (await session.scalars(select(Sale))).all() == []
