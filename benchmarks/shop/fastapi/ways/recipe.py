"""The well-known recipe as repaired: an outer transaction for each test, on a pooled connection, rolled back."""

import os

import pytest
from clients import client
from databases import outer_transaction, own_engine


@pytest.fixture(scope="session")
async def async_engine():
    engine = await own_engine(os.environ["DATABASE_URL"])
    yield engine
    await engine.dispose()


@pytest.fixture
async def db_session(async_engine):
    async with outer_transaction(async_engine) as session:
        yield session


@pytest.fixture
async def async_client(db_session):
    async with client(lambda: db_session) as found:
        yield found
