import asyncio

import pytest
from app import Base, app, clear, engine
from fastapi.testclient import TestClient


async def create():
    async with engine.begin() as connection:
        await connection.run_sync(Base.metadata.create_all)


@pytest.fixture(scope="session", autouse=True)
def tables():
    asyncio.run(create())


@pytest.fixture
def client():
    with TestClient(app) as client:
        yield client
    asyncio.run(clear())
