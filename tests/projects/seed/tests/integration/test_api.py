from sqlalchemy import select

from app.models import User


async def test_a_user_is_created(async_client, db_session):
    response = await async_client.post("/users", json={"name": "Ada", "email": "ada@example.org"})
    assert response.status_code == 201
    assert await db_session.scalar(select(User.name)) == "Ada"


async def test_users_are_listed(async_client, db_session):
    db_session.add(User(name="Ada", email="ada@example.org"))
    await db_session.flush()
    response = await async_client.get("/users")
    assert response.json() == ["ada@example.org"]


async def test_there_are_no_users_yet(async_client):
    assert (await async_client.get("/users")).json() == []
