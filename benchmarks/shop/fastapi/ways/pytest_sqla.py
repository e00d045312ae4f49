"""pytest-sqla, as its README sets it up for FastAPI."""

import pytest
from app.models import Base
from clients import client


@pytest.fixture(scope="session")
def sqla_metadata():
    return Base.metadata


@pytest.fixture(scope="session")
def sqla_session_options():
    return {"expire_on_commit": False}


@pytest.fixture
def db_session(sqla_async_session):
    return sqla_async_session


@pytest.fixture
async def async_client(sqla_async_sessionmaker):
    async def override():
        async with sqla_async_sessionmaker() as session:
            yield session

    async with client(override) as found:
        yield found
