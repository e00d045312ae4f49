"""The tests, which are the same in every way of isolation: each meets exactly the rows that it expects."""

from __future__ import annotations

import os
import uuid

import pytest
from app.main import buy, counts, products, register

numbers = pytest.mark.parametrize("number", range(int(os.environ["PEERS_TESTS"]) // 6))
PRODUCTS = [[f"sku-{n}", ("Tools", "Paint")[n % 2], 2 * n] for n in range(1, 6)]


@pytest.fixture
def email() -> str:
    return f"{uuid.uuid4().hex}@example.com"


@numbers
async def test_direct_0(db_session, number):
    assert await products(db_session) == PRODUCTS
    assert await counts(db_session) == [0, 0, 0]


@numbers
async def test_direct_1(db_session, number, email):
    assert await register(db_session, email) > 0
    assert await counts(db_session) == [1, 0, 0]


@numbers
async def test_direct_3(db_session, number, email):
    assert await buy(db_session, email) > 0
    assert await counts(db_session) == [1, 1, 2]


@numbers
async def test_client_0(async_client, number):
    assert (await async_client.get("/products")).json() == PRODUCTS
    assert (await async_client.get("/counts")).json() == [0, 0, 0]


@numbers
async def test_client_1(async_client, number, email):
    assert (await async_client.post("/customers", params={"email": email})).status_code == 201
    assert (await async_client.get("/counts")).json() == [1, 0, 0]


@numbers
async def test_client_3(async_client, number, email):
    assert (await async_client.post("/orders", params={"email": email})).status_code == 201
    assert (await async_client.get("/counts")).json() == [1, 1, 2]
