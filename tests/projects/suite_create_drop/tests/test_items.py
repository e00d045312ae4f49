import pytest
from sqlalchemy import func, select

from app.models import Item


async def test_there_is_nothing_at_first(client):
    assert (await client.get("/items")).json() == []


async def test_create(client, session):
    response = await client.post("/items", json={"name": "chair", "price": 80})
    assert response.status_code == 201
    assert (await session.get(Item, response.json()["id"])).name == "chair"


async def test_the_first_id_is_one(client):
    response = await client.post("/items", json={"name": "chair", "price": 80})
    assert response.json() == {"id": 1, "name": "chair", "price": 80}


async def test_read(client, item):
    assert (await client.get(f"/items/{item.id}")).json()["price"] == 30


async def test_read_unknown(client):
    assert (await client.get("/items/7")).status_code == 404


async def test_names_are_unique(client, item, session):
    response = await client.post("/items", json={"name": "lamp", "price": 1})
    assert response.status_code == 409
    assert await session.scalar(select(func.count()).select_from(Item)) == 1


@pytest.mark.parametrize("price", [-1, "dear", None])
async def test_bad_prices(client, price):
    response = await client.post("/items", json={"name": "chair", "price": price})
    assert response.status_code == 422


async def test_delete(client, item, session):
    assert (await client.delete(f"/items/{item.id}")).status_code == 204
    assert await session.scalar(select(func.count()).select_from(Item)) == 0


async def test_delete_unknown(client):
    assert (await client.delete("/items/7")).status_code == 404


async def test_items_in_order(client, item):
    await client.post("/items", json={"name": "chair", "price": 80})
    assert [each["name"] for each in (await client.get("/items")).json()] == ["lamp", "chair"]
