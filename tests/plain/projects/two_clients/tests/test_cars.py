import httpx
import pytest
from app import app
from fastapi.testclient import TestClient


@pytest.fixture(scope="module")
def sync_client():
    with TestClient(app, raise_server_exceptions=False) as client:
        yield client


@pytest.fixture
async def client():
    transport = httpx.ASGITransport(app, raise_app_exceptions=False)
    async with httpx.AsyncClient(transport=transport, base_url="http://test") as client:
        yield client


@pytest.mark.parametrize("n", range(2))
def test_sync(n, sync_client):
    assert [sync_client.post("/cars").json() for _ in range(3)] == [1, 2, 3]


@pytest.mark.parametrize("n", range(2))
async def test_async(n, client):
    assert [(await client.post("/cars")).json() for _ in range(3)] == [1, 2, 3]


def test_sync_failure(sync_client):
    assert sync_client.post("/fail").status_code == 500
    assert sync_client.post("/cars").json() == 1


async def test_async_failure(client):
    assert (await client.post("/fail")).status_code == 500
    assert (await client.post("/cars")).json() == 1
