import pytest


@pytest.mark.parametrize("n", range(3))
async def test_visit(n, client):
    assert (await client.post("/visits")).json() == {"total": 1, "colour": "blue"}
    assert (await client.post("/visits")).json() == {"total": 2, "colour": "blue"}
