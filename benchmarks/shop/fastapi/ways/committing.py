"""Real commits, and after each test all tables made anew, truncated or deleted from: what ``PEERS_WAY`` says."""

import os

import pytest
from app.main import SessionLocal
from app.models import Base, insert_rows
from clients import client
from databases import own_database, own_engine
from sqlalchemy import text
from sqlalchemy.ext.asyncio import create_async_engine

TABLES = Base.metadata.sorted_tables
TRUNCATE = text(f"TRUNCATE {', '.join(table.name for table in TABLES)} RESTART IDENTITY CASCADE")


def truncate(connection):
    connection.execute(TRUNCATE)
    insert_rows(connection)


def delete(connection):
    for table in reversed(TABLES):
        connection.execute(table.delete())
    insert_rows(connection)


def nothing(connection):
    pass


WAYS = {
    "create_all": (Base.metadata.create_all, Base.metadata.drop_all),
    "truncate": (nothing, truncate),
    "delete": (nothing, delete),
}
before, after = WAYS[os.environ["PEERS_WAY"]]


@pytest.fixture(scope="session")
async def async_engine():
    server = os.environ["DATABASE_URL"]
    engine = await own_engine(server) if before is nothing else create_async_engine(await own_database(server))
    SessionLocal.configure(bind=engine)
    yield engine
    await engine.dispose()


@pytest.fixture
async def fresh(async_engine):
    if before is not nothing:
        async with async_engine.begin() as connection:
            await connection.run_sync(before)
    yield
    async with async_engine.begin() as connection:
        await connection.run_sync(after)


@pytest.fixture
async def db_session(fresh):
    async with SessionLocal() as session:
        yield session


@pytest.fixture
async def async_client(fresh):
    async with client() as found:
        yield found
