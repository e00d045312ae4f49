"""The tests of the Django application: the same as those of the FastAPI application."""

from __future__ import annotations

import os
import uuid

import pytest
from shop.views import buy, counts, products, register

committing = {"transaction": True, "serialized_rollback": True}
pytestmark = pytest.mark.django_db(**committing if os.environ["PEERS_WAY"] == "transactional_db" else {})
numbers = pytest.mark.parametrize("number", range(int(os.environ["PEERS_TESTS"]) // 6))
PRODUCTS = [[f"sku-{n}", ("Tools", "Paint")[n % 2], 2 * n] for n in range(1, 6)]


@pytest.fixture
def email() -> str:
    return f"{uuid.uuid4().hex}@example.com"


@numbers
def test_direct_0(number):
    assert products() == PRODUCTS
    assert counts() == [0, 0, 0]


@numbers
def test_direct_1(number, email):
    assert register(email) > 0
    assert counts() == [1, 0, 0]


@numbers
def test_direct_3(number, email):
    assert buy(email) > 0
    assert counts() == [1, 1, 2]


@numbers
def test_client_0(client, number):
    assert client.get("/products").json() == PRODUCTS
    assert client.get("/counts").json() == [0, 0, 0]


@numbers
def test_client_1(client, number, email):
    assert client.post("/customers", query_params={"email": email}).status_code == 201
    assert client.get("/counts").json() == [1, 0, 0]


@numbers
def test_client_3(client, number, email):
    assert client.post("/orders", query_params={"email": email}).status_code == 201
    assert client.get("/counts").json() == [1, 1, 2]
