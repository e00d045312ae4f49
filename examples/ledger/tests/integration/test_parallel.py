import os

import pytest
from httpx import AsyncClient

from tests.fixtures.people import PASSWORD


@pytest.mark.parametrize("turn", range(4))
async def test_everybody_is_the_first(async_client: AsyncClient, database_url: str, turn: int):
    """With `pytest -n auto` the same address registers in all workers at once: each has a database of its own."""
    answer = await async_client.post("/users", json={"email": "first@example.org", "password": PASSWORD})
    assert answer.status_code == 201
    assert f"_{os.environ.get('PYTEST_XDIST_WORKER', 'main')}x" in database_url
