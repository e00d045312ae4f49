"""The migrations can be run and undone, keep what is there, and build what the models say, to the letter."""

from pytest_crucible.migrations import (
    Migrations,
    Scratch,
    test_downgrade_leaves_no_trace,
    test_models_match,
    test_single_head,
    test_stairway,
    test_upgrade,
)
from sqlalchemy.ext.asyncio import AsyncEngine

from ledger.models import Base

__all__ = [
    "test_downgrade_leaves_no_trace",
    "test_models_match",
    "test_single_head",
    "test_stairway",
    "test_upgrade",
]


def content(database: Scratch) -> list[object]:
    """Return the schema, triggers and partitions included, and the rows that come with it."""
    house = database.execute("SELECT id, currency, balance FROM accounts ORDER BY id")
    return [*database.catalog(), *house]


async def test_migrations_build_what_the_models_say(migrations: Migrations, async_engine: AsyncEngine):
    """Upgrading an empty database leads to the very schema that ``create_all`` makes."""
    with migrations.at("base") as database:
        async with async_engine.begin() as connection:
            await connection.run_sync(Base.metadata.create_all)
        of_models = content(database)
    with migrations.at("head") as database:
        assert content(database) == of_models


def test_accounts_survive(migrations: Migrations):
    """An account that was there before accounts could be closed is open, and keeps its balance."""
    with migrations.at("0004") as database:
        database.execute("INSERT INTO users (email, password_hash) VALUES ('ada@example.org', '')")
        database.execute("INSERT INTO accounts (owner_id, currency, balance) SELECT id, 'EUR', 100 FROM users")
        database.upgrade("0005")
        assert database.execute("SELECT balance, closed_at FROM accounts WHERE owner_id = 1") == [(100, None)]
