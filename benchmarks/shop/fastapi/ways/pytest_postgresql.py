"""pytest-postgresql: a template that is filled once for the run, and a clone of it for each test."""

import os

import pytest
from app.main import SessionLocal
from app.models import Base
from clients import client
from pytest_postgresql import factories
from sqlalchemy import URL, create_engine
from sqlalchemy.ext.asyncio import create_async_engine


def load(**words):
    url = URL.create("postgresql+psycopg", words["user"], database=words["dbname"])
    engine = create_engine(url.update_query_dict({"host": words["host"], "port": str(words["port"])}))
    Base.metadata.create_all(engine)
    engine.dispose()


server = factories.postgresql_noproc(
    host=os.environ["PGHOST"], port=int(os.environ["PGPORT"]), user=os.environ["PGUSER"], load=[load]
)
database = factories.postgresql("server")


@pytest.fixture
async def own_engine(database):
    info = database.info
    url = URL.create("postgresql+asyncpg", info.user, database=info.dbname)
    engine = create_async_engine(url.update_query_dict({"host": info.host, "port": str(info.port)}))
    SessionLocal.configure(bind=engine)
    yield engine
    await engine.dispose()


@pytest.fixture
async def db_session(own_engine):
    async with SessionLocal() as session:
        yield session


@pytest.fixture
async def async_client(own_engine):
    async with client() as found:
        yield found
