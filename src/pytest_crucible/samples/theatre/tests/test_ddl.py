"""Tests that change the schema need no mark: the next test has the schema of the models again."""

from sqlalchemy import text


async def test_one_test_changes_the_schema(db_session):
    await db_session.execute(text("ALTER TABLE shows ADD COLUMN encores integer DEFAULT 3"))
    await db_session.execute(text("CREATE TABLE critics (name text)"))
    await db_session.commit()


async def test_the_next_one_does_not_see_it(db_session):
    query = text("SELECT to_regclass('critics') IS NULL AND NOT EXISTS (SELECT FROM information_schema.columns"
                 " WHERE column_name = 'encores')")
    assert await db_session.scalar(query)
