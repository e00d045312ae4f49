"""A database for each worker of pytest-xdist, and the recipe's session, as suites make them that have no plugin."""

from __future__ import annotations

import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from app.models import Base
from sqlalchemy import URL, make_url, text
from sqlalchemy.ext.asyncio import AsyncEngine, AsyncSession, create_async_engine
from sqlalchemy.pool import NullPool


async def own_database(server: str) -> URL:
    """Return the URL of this worker's database, which is kept for the next run."""
    url = make_url(server)
    name = f"shop_{os.environ.get('PYTEST_XDIST_WORKER', 'main')}"
    engine = create_async_engine(url, poolclass=NullPool, isolation_level="AUTOCOMMIT")
    async with engine.connect() as connection:
        exists = text("SELECT true FROM pg_database WHERE datname = :name")
        if not await connection.scalar(exists, {"name": name}):
            await connection.execute(text(f"CREATE DATABASE {name}"))
    return url.set(database=name)


async def own_engine(server: str) -> AsyncEngine:
    """Return an engine of this worker's database, in which all tables exist."""
    engine = create_async_engine(await own_database(server))
    async with engine.begin() as connection:
        await connection.run_sync(Base.metadata.create_all)
    return engine


@asynccontextmanager
async def outer_transaction(engine: AsyncEngine) -> AsyncIterator[AsyncSession]:
    """Yield the session of the well-known recipe: it joins a transaction that is rolled back at the end."""
    async with engine.connect() as connection:
        transaction = await connection.begin()
        async with AsyncSession(
            connection, expire_on_commit=False, join_transaction_mode="create_savepoint"
        ) as session:
            yield session
        await transaction.rollback()
