"""The engine, and the sessions of a request."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Annotated, TypeVar

from fastapi import Depends
from sqlalchemy.exc import DBAPIError
from sqlalchemy.ext.asyncio import AsyncSession, async_sessionmaker, create_async_engine

from ledger.settings import settings

T = TypeVar("T")

SERIALIZATION_FAILURE = "40001"

engine = create_async_engine(settings.database_url)
sessions = async_sessionmaker(engine, expire_on_commit=False)
serializable_sessions = async_sessionmaker(
    engine.execution_options(isolation_level="SERIALIZABLE"), expire_on_commit=False
)


async def get_session() -> AsyncIterator[AsyncSession]:
    """Yield one session for each request; the route commits."""
    async with sessions() as session:
        yield session


RequestSession = Annotated[AsyncSession, Depends(get_session)]


def sqlstate(error: DBAPIError) -> str | None:
    """Return the five characters by which PostgreSQL names an error."""
    return getattr(error.orig, "sqlstate", None)


async def serializably(work: Callable[[AsyncSession], Awaitable[T]], *, attempts: int = 5) -> T:
    """Run ``work`` in a SERIALIZABLE transaction, again when PostgreSQL says that it must be retried."""
    for _ in range(attempts - 1):
        try:
            return await _transaction(work)
        except DBAPIError as error:
            if sqlstate(error) != SERIALIZATION_FAILURE:
                raise
    return await _transaction(work)


async def _transaction(work: Callable[[AsyncSession], Awaitable[T]]) -> T:
    async with serializable_sessions.begin() as session:
        return await work(session)
