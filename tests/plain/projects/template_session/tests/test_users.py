import uuid

import pytest
from app import User
from sqlalchemy import select


def email():
    return f"{uuid.uuid4().hex}@example.com"


@pytest.mark.parametrize("n", range(3))
def test_create(n, client, db):
    address = email()
    assert client.post(f"/users/{address}").status_code == 200
    assert db.scalar(select(User).where(User.email == address)) is not None


def test_existing(client, db):
    address = email()
    db.add(User(email=address))
    db.commit()
    assert client.post(f"/users/{address}").status_code == 400


def test_admin_is_there(db):
    assert db.scalar(select(User.email).where(User.email == "admin@example.com"))


def test_through_crud(client, db):
    user = User(email=email())
    db.add(user)
    db.commit()
    db.refresh(user)
    assert client.post(f"/users/{user.id}/items/x").status_code == 200
