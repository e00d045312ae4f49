import anyio
import pytest
from app import Session
from sqlalchemy import text

pytestmark = pytest.mark.anyio


@pytest.mark.parametrize("n", range(3))
async def test_add(n, client):
    assert (await client.post("/posts")).json() == 1


async def test_task_group(client):
    async with anyio.create_task_group() as group:
        for _ in range(4):
            group.start_soon(client.post, "/posts")
    assert (await client.post("/posts")).json() == 5


async def test_no_client():
    async with Session() as session:
        assert await session.scalar(text("SELECT count(*) FROM posts")) == 0
