"""Checkpoints of an application with several databases."""

from __future__ import annotations

TESTS = """
from sqlalchemy import text
from shop import count, stats_sync

async def test_both(crucible, async_client):
    await async_client.post("/orders", params={"item": "tea"})
    with crucible.checkpoint() as checkpoint:
        for _ in range(3):
            await async_client.post("/orders", params={"item": "milk"})
            assert await count() == (2, 2)
            checkpoint.reset()
            assert await count() == (1, 1)
        with crucible.checkpoint():
            with stats_sync.begin() as connection:
                connection.execute(text("DROP TABLE sales"))
    assert await count() == (1, 1)

async def test_first_used_in_a_block(crucible):
    with crucible.checkpoint():
        with stats_sync.begin() as connection:
            connection.execute(text("INSERT INTO sales (item) VALUES ('tea')"))
    assert await count() == (0, 0)

async def test_is_clean():
    assert await count() == (0, 0)
"""


def test_every_database_is_put_back(shop):
    """Each database returns to its own state, also where only one of them needs a fresh clone."""
    shop.run(TESTS).assert_outcomes(passed=3)
