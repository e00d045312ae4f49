"""Objects that the tests' sessions have committed, and what the application commits afterwards."""

from __future__ import annotations

import pytest

MAKER = """
from sqlalchemy import create_engine, select
from sqlalchemy.orm import Session, sessionmaker
from app import User

engine = create_engine("postgresql+psycopg://app@db.production.invalid/app")

class Tenant(Session): ...

Local = sessionmaker(engine, class_=Tenant, expire_on_commit={expires})

def rename():
    with Local() as session:
        session.scalars(select(User)).one().name = "ada"
        session.commit()
"""
TESTS = """
import pytest
from polyfactory.factories.sqlalchemy_factory import SQLAlchemyFactory
from sqlalchemy import select
from app import User
from shop import Tenant, rename

class UserFactory(SQLAlchemyFactory[User]): ...

def test_session(sync_session):
    assert isinstance(sync_session, Tenant)
    user = User(name="bob")
    sync_session.add(user)
    sync_session.commit()
    rename()
    assert sync_session.scalars(select(User).where(User.name == "ada")).one().name == "ada"
    assert user.name == "ada"

def test_factory(sync_session):
    user = UserFactory.create_sync()
    rename()
    assert user.name == "ada"

def test_batch(sync_session):
    first, second = UserFactory.create_batch_sync(2)
    assert not sync_session.in_transaction()
    second.name = "eve"
    sync_session.commit()
    assert (first.name, second.name) != ("ada", "ada") and second.name == "eve"
    sync_session.delete(second)
    sync_session.commit()
    rename()
    assert sync_session.scalars(select(User)).one().name == "ada"

def test_batch_of_a_query(sync_session):
    first, second = UserFactory.create_batch_sync(2)
    sync_session.delete(second)
    sync_session.commit()
    (only,) = UserFactory.create_batch_sync(1)
    sync_session.delete(only)
    sync_session.commit()
    rename()
    assert sync_session.scalars(select(User)).one().name == "ada"

@pytest.fixture(scope="module")
def wide():
    return UserFactory.create_sync()

def test_wide(wide, sync_session):
    rename()
    assert sync_session.scalars(select(User)).one().name == "ada"

async def test_db_session(db_session):
    assert not db_session.sync_session.expire_on_commit
"""


@pytest.mark.parametrize("isolation", ["reset", pytest.param("clone", marks=pytest.mark.slow)])
def test_what_the_application_commits_is_seen(suite, isolation):
    """sync_session and what factories store with it are made as the application makes its own, and never stale."""
    result = suite.run(
        f"--crucible-isolation={isolation}", "-W", "error", shop=MAKER.format(expires=True), test_it=TESTS
    )
    result.assert_outcomes(passed=6)


def test_an_application_that_does_not_expire(suite):
    """Where its own sessions hold what they held, so does sync_session, unless the option says otherwise."""
    suite.write(shop=MAKER.format(expires=False))
    suite.run("-k", "test_session", test_it=TESTS).assert_outcomes(failed=1)
    suite.run("-k", "test_session", "--crucible-expire-on-commit=always").assert_outcomes(passed=1)


def test_rollback_isolation(suite):
    """The session that joins the outer transaction has the application's class as well, and joins it as before."""
    result = suite.run(
        "--crucible-isolation=rollback",
        "-W",
        "error",
        shop=MAKER.format(expires=True).replace(
            "class Tenant(Session): ...",
            "class Tenant(Session):\n    def commit(self):\n        self.info['commits'] = 1\n        super().commit()",
        ),
        test_it="""
        from sqlalchemy import inspect
        from app import User
        from shop import Tenant

        def test_it(sync_session):
            assert isinstance(sync_session, Tenant)
            assert sync_session.join_transaction_mode == "create_savepoint"
            user = User(name="bob")
            sync_session.add(user)
            sync_session.commit()
            assert sync_session.info["commits"] == 1
            assert inspect(user).expired
            assert user.name == "bob"
        """,
    )
    result.assert_outcomes(passed=1)
