"""pytest-sqlalchemy-alembic makes the databases and keeps them; the recipe's outer transaction isolates the tests."""

import os

import pytest
from app.main import SessionLocal
from app.models import Base
from clients import client
from databases import outer_transaction
from pytest_sqlalchemy_alembic.config import PluginConfig


@pytest.fixture(scope="session")
def sqlalchemy_alembic_plugin_configs(pytestconfig):
    return [
        PluginConfig.build(
            session_maker=SessionLocal,
            metadata=Base.metadata,
            create_db=pytestconfig.getoption("create_db"),
            no_migrations=pytestconfig.getoption("no_migrations"),
        )
    ]


@pytest.fixture
async def db_session(sqlalchemy_alembic_setup_session):
    (engine,) = sqlalchemy_alembic_setup_session
    async with outer_transaction(engine) as session:
        yield session


@pytest.fixture
async def async_client(db_session):
    async with client(lambda: db_session) as found:
        yield found
