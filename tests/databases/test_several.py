"""Several databases of one application: each has its own, and all are put back."""

from __future__ import annotations


def test_each_engine_leads_to_the_database_that_it_names(shop):
    """What the application writes to two databases is in two, and none of it is there in the next test."""
    result = shop.run("""
        import pytest
        import shop
        from sqlalchemy import text

        @pytest.mark.parametrize("item", ["a", "a", "b"])
        async def test_order(async_client, item, db_session):
            assert await shop.count() == (0, 0)
            response = await async_client.post("/orders", params={"item": item})
            assert response.status_code == 200
            assert await shop.count() == (1, 1)
            assert await db_session.scalar(text("SELECT max(id) FROM orders")) == 1
            async with shop.stats.connect() as connection:
                assert await connection.scalar(text("SELECT max(id) FROM sales")) == 1
                with pytest.raises(Exception, match="orders"):
                    await connection.execute(text("SELECT * FROM orders"))
    """)
    result.assert_outcomes(passed=3)
    result.stdout.fnmatch_lines(["crucible: database 'shop' leads to the main database: *"])
    assert shop.databases("crucible_w_") == []
