import pytest
from app import Item, User
from sqlalchemy import select


def new_item(client, owner, title="a"):
    return client.post(f"/users/{owner}/items/{title}").json()["id"]


@pytest.mark.parametrize("n", range(3))
def test_create(n, client, db, admin):
    key = new_item(client, admin, f"title{n}")
    assert db.get(Item, key).title == f"title{n}"


def test_delete(client, db, admin):
    key = new_item(client, admin)
    assert client.delete(f"/items/{key}").status_code == 200
    assert db.scalar(select(Item).where(Item.id == key)) is None


def test_delete_missing(client):
    assert client.delete("/items/999999").status_code == 404


def test_owner(client, db, admin):
    key = new_item(client, admin)
    assert db.scalar(select(User.email).join(Item, Item.owner_id == User.id).where(Item.id == key)) == "admin@example.com"
