import pytest
from app import Hero


@pytest.mark.parametrize("n", range(3))
def test_create(n, client):
    assert client.post("/heroes/ann").json() == {"id": 1, "name": "ann"}


def test_read(session, client):
    session.add(Hero(name="ann"))
    session.add(Hero(name="bob"))
    session.commit()
    assert [hero["name"] for hero in client.get("/heroes").json()] == ["ann", "bob"]


def test_delete(session, client):
    hero = Hero(name="ann")
    session.add(hero)
    session.commit()
    assert client.delete(f"/heroes/{hero.id}").status_code == 200
    assert session.get(Hero, hero.id) is None


def test_missing(client):
    assert client.delete("/heroes/1").status_code == 404
