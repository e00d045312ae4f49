"""A database for each worker of pytest-xdist, as suites make it that have no plugin for that."""

from __future__ import annotations

import os

from app.models import Base
from sqlalchemy import URL, make_url, text
from sqlalchemy.ext.asyncio import AsyncEngine, create_async_engine
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
