"""py-pglite: PostgreSQL in WebAssembly, one connection for test and application, all tables truncated before a test."""

import os
from pathlib import Path

import pytest
from app.models import Base, insert_rows
from clients import client
from py_pglite.config import PGliteConfig
from sqlalchemy.ext.asyncio import AsyncSession


@pytest.fixture(scope="session")
def pglite_config(tmp_path_factory):
    # A folder of its own for each worker: py-pglite ends the servers that it finds in its folder.
    folder = tmp_path_factory.mktemp("pglite")
    (folder / "node_modules").symlink_to(Path(os.environ["PEERS_NODE"]) / "node_modules")
    return PGliteConfig(work_dir=folder)


@pytest.fixture(scope="session")
async def tables(pglite_async_engine):
    async with pglite_async_engine.begin() as connection:
        await connection.run_sync(Base.metadata.create_all)


@pytest.fixture
async def db_session(tables, pglite_async_session, pglite_async_engine):
    # Its own session has truncated the tables. It expires objects with each commit, which the application forbids.
    async with AsyncSession(pglite_async_engine, expire_on_commit=False) as session:
        await (await session.connection()).run_sync(insert_rows)
        await session.commit()
        yield session


@pytest.fixture
async def async_client(db_session):
    async with client(lambda: db_session) as found:
        yield found
