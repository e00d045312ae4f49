import pytest_asyncio
from app import User


def mint(user, expires_delta=None):
    return user.name


@pytest_asyncio.fixture
async def test_user(db_session):
    user = User(name="ada")
    db_session.add(user)
    await db_session.commit()
    return user
