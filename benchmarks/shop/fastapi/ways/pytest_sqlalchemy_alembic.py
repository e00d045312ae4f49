"""pytest-sqlalchemy-alembic makes the databases and keeps them; the recipe's outer transaction isolates the tests."""

import os

import pytest
from app.main import SessionLocal
from app.models import Base
from clients import client
from pytest_sqlalchemy_alembic.config import PluginConfig
from sqlalchemy.ext.asyncio import AsyncSession


@pytest.fixture(scope="session")
def sqlalchemy_alembic_plugin_configs(pytestconfig):
    return [
        PluginConfig.build(
            session_maker=SessionLocal,
            metadata=Base.metadata,
            create_db=pytestconfig.getoption("create_db"),
            no_migrations=pytestconfig.getoption("no_migrations"),
        )
    ]


@pytest.fixture
async def db_session(sqlalchemy_alembic_setup_session):
    (engine,) = sqlalchemy_alembic_setup_session
    async with engine.connect() as connection:
        transaction = await connection.begin()
        async with AsyncSession(
            connection, expire_on_commit=False, join_transaction_mode="create_savepoint"
        ) as session:
            yield session
        await transaction.rollback()


@pytest.fixture
async def async_client(db_session):
    async with client(lambda: db_session) as found:
        yield found
