from sqlalchemy import func, select

from app.models import User
from tests.fixtures.factories import PostFactory, UserFactory


async def count(db_session) -> int:
    return await db_session.scalar(select(func.count()).select_from(User))


async def test_create_user(db_session):
    user = await UserFactory.create_async()
    assert user.id is not None
    assert await count(db_session) == 1


async def test_create_batch(db_session):
    users = await UserFactory.create_batch_async(10)
    assert len(users) == 10
    assert await count(db_session) == 10


async def test_create_post(db_session):
    post = await PostFactory.create_async()
    assert post.title
    assert await count(db_session) == 1
