import httpx
import pytest
from app import Visit, app, engine
from asgi_lifespan import LifespanManager
from sqlalchemy import delete


@pytest.fixture(scope="module")
async def client():
    async with LifespanManager(app) as manager:
        transport = httpx.ASGITransport(manager.app)
        async with httpx.AsyncClient(transport=transport, base_url="http://test") as client:
            yield client
    await engine.dispose()


@pytest.fixture(autouse=True)
async def clean(client):
    yield
    async with engine.begin() as connection:
        await connection.execute(delete(Visit))
