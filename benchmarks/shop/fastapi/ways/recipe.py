"""The well-known recipe as repaired: an outer transaction for each test, on a pooled connection, rolled back."""

import os

import pytest
from clients import client
from databases import own_engine
from sqlalchemy.ext.asyncio import AsyncSession


@pytest.fixture(scope="session")
async def async_engine():
    engine = await own_engine(os.environ["DATABASE_URL"])
    yield engine
    await engine.dispose()


@pytest.fixture
async def db_session(async_engine):
    async with async_engine.connect() as connection:
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
