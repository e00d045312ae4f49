import pytest
from app import Page, reader, session
from sqlalchemy import delete, select, text
from sqlalchemy.exc import DBAPIError


@pytest.fixture(scope="module", autouse=True)
async def disposed():
    yield
    await reader.dispose()


@pytest.mark.parametrize("n", range(3))
async def test_write_then_read(n):
    async with session() as db:
        db.add(Page(title="a"))
        await db.commit()
        assert (await db.scalars(select(Page.title))).all() == ["a"]


async def test_delete():
    async with session() as db:
        db.add(Page(title="a"))
        await db.commit()
        await db.execute(delete(Page))
        await db.commit()
        assert (await db.scalars(select(Page.title))).all() == []


async def test_reader_refuses():
    async with reader.connect() as connection:
        with pytest.raises(DBAPIError, match="read-only"):
            await connection.execute(text("INSERT INTO pages (title) VALUES ('x')"))
