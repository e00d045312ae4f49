import pytest
from app import Bird, Session
from sqlalchemy import select

pytestmark = pytest.mark.asyncio


@pytest.mark.parametrize("n", range(3))
async def test_commit(n, session, name):
    session.add(Bird(name=name))
    await session.commit()
    async with Session() as other:
        assert (await other.scalars(select(Bird.name))).all() == ["wren"]


async def test_flush_is_not_seen(session, name):
    session.add(Bird(name=name))
    await session.flush()
    async with Session() as other:
        assert (await other.scalars(select(Bird.name))).all() == []


async def test_empty(session):
    assert (await session.scalars(select(Bird))).all() == []


class TestClassLoop:
    @pytest.mark.asyncio(loop_scope="class")
    async def test_one(self):
        async with Session() as session:
            assert (await session.scalars(select(Bird))).all() == []

    @pytest.mark.asyncio(loop_scope="class")
    async def test_two(self):
        async with Session() as session:
            assert (await session.scalars(select(Bird))).all() == []
