"""The migrations build what the models say, to the letter."""

from pathlib import Path

from alembic import command
from alembic.config import Config
from sqlalchemy import Connection, text
from sqlalchemy.ext.asyncio import AsyncEngine

from ledger.models import Base

ALEMBIC_INI = Path(__file__).parents[2] / "alembic.ini"

# Names and definitions of all that lies in the schema, but for Alembic's own table.
CATALOG = text("""
    SELECT 'column', attrelid::regclass::text, attname || ' ' || format_type(atttypid, atttypmod)
           || attnotnull || attidentity::text || coalesce(pg_get_expr(adbin, adrelid), '')
    FROM pg_attribute JOIN pg_class c ON c.oid = attrelid LEFT JOIN pg_attrdef ON (adrelid, adnum) = (attrelid, attnum)
    WHERE relnamespace = 'public'::regnamespace AND relkind IN ('r', 'p') AND attnum > 0 AND NOT attisdropped
    UNION ALL
    SELECT 'constraint', conrelid::regclass::text, conname || ' ' || pg_get_constraintdef(oid)
    FROM pg_constraint WHERE connamespace = 'public'::regnamespace AND contype <> 't'
    UNION ALL
    SELECT 'index', tablename, indexdef FROM pg_indexes WHERE schemaname = 'public'
    UNION ALL
    SELECT 'trigger', tgrelid::regclass::text, pg_get_triggerdef(t.oid)
    FROM pg_trigger t JOIN pg_proc p ON p.oid = tgfoid
    WHERE NOT tgisinternal AND pronamespace = 'public'::regnamespace
    UNION ALL
    SELECT 'function', proname, pg_get_functiondef(oid) FROM pg_proc WHERE pronamespace = 'public'::regnamespace
    UNION ALL
    SELECT 'partition', relname, pg_get_expr(relpartbound, oid) FROM pg_class
    WHERE relnamespace = 'public'::regnamespace AND relispartition AND relkind = 'r'
    UNION ALL
    SELECT 'house account', currency, id || ' ' || balance FROM accounts
    ORDER BY 1, 2, 3
""")


def catalog(connection: Connection) -> list[tuple[str, ...]]:
    return [tuple(row) for row in connection.execute(CATALOG) if row[1] != "alembic_version"]


def alembic(connection: Connection) -> Config:
    config = Config(ALEMBIC_INI)
    config.attributes["connection"] = connection
    return config


def rebuild(connection: Connection) -> None:
    Base.metadata.drop_all(connection)
    command.upgrade(alembic(connection), "head")


async def test_migrations_build_what_the_models_say(async_engine: AsyncEngine):
    """Upgrading an empty database leads to the very schema that ``create_all`` made."""
    async with async_engine.begin() as connection:
        of_models = await connection.run_sync(catalog)
        await connection.run_sync(rebuild)
        assert await connection.run_sync(catalog) == of_models


async def test_autogenerate_finds_nothing(async_engine: AsyncEngine):
    """Nobody has changed a model without a migration."""
    async with async_engine.begin() as connection:
        await connection.run_sync(rebuild)
        await connection.run_sync(lambda sync: command.check(alembic(sync)))


async def test_every_migration_can_be_undone(async_engine: AsyncEngine):
    """Downgrading to nothing and upgrading again leads to the same schema."""
    async with async_engine.begin() as connection:
        of_models = await connection.run_sync(catalog)
        await connection.run_sync(rebuild)
        await connection.run_sync(lambda sync: command.downgrade(alembic(sync), "base"))
        await connection.run_sync(lambda sync: command.upgrade(alembic(sync), "head"))
        assert await connection.run_sync(catalog) == of_models
