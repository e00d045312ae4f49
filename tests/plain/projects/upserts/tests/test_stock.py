import pytest
from app import Stock, run, session
from sqlalchemy import select
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.exc import DBAPIError, IntegrityError


@pytest.mark.parametrize("n", range(2))
async def test_on_conflict(n):
    statement = insert(Stock).values(item="nail", number=2)
    statement = statement.on_conflict_do_update(index_elements=["item"], set_={"number": Stock.number + 2})
    async with session() as db:
        for total in (2, 4):
            assert await db.scalar(statement.returning(Stock.number)) == total
        await db.commit()


@pytest.mark.parametrize("n", range(2))
async def test_merge(n):
    merge = """
    MERGE INTO stock USING (VALUES ('nail', 1)) AS new (item, number) ON stock.item = new.item
    WHEN MATCHED THEN UPDATE SET number = stock.number + new.number
    WHEN NOT MATCHED THEN INSERT VALUES (new.item, new.number)
    """
    await run(merge)
    await run(merge)
    assert await run("SELECT * FROM stock") == [("nail", 2)]


async def test_cte_that_writes():
    moved = await run(
        "WITH new AS (INSERT INTO stock VALUES ('a', 1), ('b', 2) RETURNING *) SELECT item FROM new ORDER BY 1"
    )
    assert moved == [("a",), ("b",)]


async def test_nowait():
    await run("INSERT INTO stock VALUES ('a', 1)")
    async with session() as first, session() as second:
        await first.scalar(select(Stock).with_for_update())
        with pytest.raises(DBAPIError):
            await second.scalar(select(Stock).with_for_update(nowait=True))
        await second.rollback()
        await first.rollback()


async def test_savepoint():
    async with session() as db:
        db.add(Stock(item="a", number=1))
        await db.flush()
        with pytest.raises(IntegrityError):
            async with db.begin_nested():
                await db.execute(insert(Stock).values(item="a", number=2))
        await db.commit()
    assert await run("SELECT * FROM stock") == [("a", 1)]


async def test_empty():
    assert await run("SELECT * FROM stock") == []
