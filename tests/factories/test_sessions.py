"""Which session a factory stores with."""

from __future__ import annotations

import pytest

COUNT = """
import pytest
from shop import Post, Session, User
from factories import PostFactory, UserFactory
from sqlalchemy import func, select
from polyfactory.factories.sqlalchemy_factory import SQLAlchemyFactory


async def seen_by_the_application():
    async with Session() as session:
        return await session.scalar(select(func.count()).select_from(User))
"""


@pytest.mark.parametrize("isolation", ["reset", pytest.param("clone", marks=pytest.mark.slow)])
def test_what_a_factory_stores_is_committed(shop, isolation):
    """The application sees it, the session of the test knows it, and the next test does not have it."""
    shop.run(
        COUNT
        + """
@pytest.mark.parametrize("i", range(2))
async def test_one(db_session, i):
    user = await UserFactory.create_async(name="ada")
    assert user in db_session and await seen_by_the_application() == 1
    user.name = "eve"
    await db_session.commit()

async def test_without_a_session_of_its_own():
    await UserFactory.create_async()
    assert await seen_by_the_application() == 1

async def test_nothing_is_left():
    assert await seen_by_the_application() == 0
""",
        f"--crucible-isolation={isolation}",
    ).assert_outcomes(passed=4)


def test_in_rollback_isolation(shop):
    """The factory's session is db_session, also where a fixture uses the factory first; nothing is committed."""
    shop.run(
        COUNT
        + """
@pytest.fixture
async def user():
    return await UserFactory.create_async()

async def test_one(user, db_session):
    assert user in db_session
    assert await db_session.scalar(select(func.count()).select_from(User)) == 1
    assert await seen_by_the_application() == 0

async def test_two(db_session):
    assert await db_session.scalar(select(func.count()).select_from(User)) == 0

def test_sync(sync_session):
    assert UserFactory.create_sync() in sync_session
""",
        "--crucible-isolation=rollback",
    ).assert_outcomes(passed=3)


@pytest.mark.slow
@pytest.mark.parametrize("isolation", ["reset", "rollback"])
def test_a_projects_own_engine(shop, isolation):
    """Where async_engine is the application's, factories store over it, before and after db_session came up."""
    shop.run(
        COUNT
        + """
import shop

@pytest.fixture(scope="session")
async def async_engine():
    return shop.engine

@pytest.fixture
async def user():
    return await UserFactory.create_async()

async def test_one(user, db_session):
    assert user in db_session
    post = await PostFactory.create_async(author=user)
    assert await db_session.get(Post, post.id) is post

async def test_two(user):
    assert (await PostFactory.create_async(author=user)).author_id == user.id
""",
        f"--crucible-isolation={isolation}",
    ).assert_outcomes(passed=2)


@pytest.mark.slow
def test_synchronously(shop):
    """create_sync and create_batch_sync store with sync_session, asked for or not."""
    shop.run(
        COUNT
        + """
def test_one(sync_session):
    users = UserFactory.create_batch_sync(3)
    assert all(user in sync_session for user in users)

async def test_two():
    UserFactory.create_sync()
    assert await seen_by_the_application() == 1
"""
    ).assert_outcomes(passed=2)


def test_a_wide_fixture_has_a_session_of_its_own(shop):
    """What it stores is its layer; the objects can be read afterwards, and handed to other factories."""
    shop.run(
        COUNT
        + """
@pytest.fixture(scope="module")
async def users():
    return await UserFactory.create_batch_async(3)

@pytest.fixture(scope="class")
def more(users):
    return UserFactory.create_batch_sync(2)

@pytest.mark.parametrize("i", range(2))
async def test_one(users, i):
    assert await seen_by_the_application() == 3
    post = await PostFactory.create_async(author=users[0])
    assert post.author_id == users[0].id

class TestMore:
    async def test_two(self, more):
        assert await seen_by_the_application() == 5

async def test_three(users):
    assert await seen_by_the_application() == 3
"""
    ).assert_outcomes(passed=4)


def test_a_projects_own_session_wins(shop):
    """A session that a factory is given, and a fixture db_session of the project's own."""
    shop.run(
        COUNT
        + """
class OwnFactory(SQLAlchemyFactory[User]):
    __set_relationships__ = False
    __async_session__ = Session

@pytest.fixture
async def db_session():
    async with Session() as session:
        session.info["mine"] = True
        yield session

async def test_own():
    await OwnFactory.create_async()
    assert await seen_by_the_application() == 1

async def test_fixture(db_session):
    user = await UserFactory.create_async()
    assert user in db_session and db_session.info["mine"]

async def test_without_it():
    await UserFactory.create_async()
    assert await seen_by_the_application() == 1
"""
    ).assert_outcomes(passed=3)


def test_gathered(shop):
    """Factories of one session take turns."""
    shop.run(
        COUNT
        + """
import asyncio

async def test_one():
    users = await asyncio.gather(*(UserFactory.create_async() for _ in range(5)))
    assert len({user.id for user in users}) == 5 == await seen_by_the_application()
"""
    ).assert_outcomes(passed=1)


@pytest.mark.slow
def test_outside_of_a_test(shop):
    """A factory that stores at import, or when a wide fixture is torn down, says what to do instead."""
    result = shop.run(
        COUNT
        + """
@pytest.fixture(scope="module")
def wide():
    yield
    UserFactory.create_sync()

def test_one(wide): pass
"""
    )
    result.assert_outcomes(passed=1, errors=1)
    result.stdout.fnmatch_lines(["*asked to store an object after the test was over.*"])
    result = shop.run("from factories import UserFactory\nUserFactory.create_sync()\n")
    result.stdout.fnmatch_lines(["*asked to store an object outside of a test.*", "*in a fixture*"])


@pytest.mark.slow
def test_no_database_is_allowed(shop):
    """Where crucible_no_database forbids it, a factory may build and not store."""
    result = shop.run(
        """
        from factories import UserFactory
        def test_builds(): assert UserFactory.build().name
        def test_stores(): UserFactory.create_sync()
        """,
        name="unit/test_unit.py",
    )
    result.assert_outcomes(passed=1, failed=1)
    result.stdout.fnmatch_lines(["*touches a database, and lies in unit*"])


def test_polyfactory_is_as_it_was_afterwards(shop):
    """A run leaves no trace in Polyfactory's classes."""
    from polyfactory.factories import BaseFactory
    from polyfactory.factories.pydantic_factory import ModelFactory
    from polyfactory.factories.sqlalchemy_factory import SQLAlchemyFactory

    before = [dict(vars(kind)) for kind in (BaseFactory, ModelFactory, SQLAlchemyFactory)]
    state = BaseFactory.__random__.getstate()
    shop.run("from factories import UserFactory\ndef test_one(): UserFactory.build()").assert_outcomes(passed=1)
    assert [dict(vars(kind)) for kind in (BaseFactory, ModelFactory, SQLAlchemyFactory)] == before
    assert BaseFactory.__random__.getstate() == state
