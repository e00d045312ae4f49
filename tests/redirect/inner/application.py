"""What a test project's application may look like: global engines, made at import, that lead nowhere."""

from __future__ import annotations

import os

from sqlalchemy.ext.asyncio import AsyncEngine, create_async_engine
from sqlalchemy.pool import NullPool, StaticPool

POOLS: dict[str, dict[str, object]] = {
    "queue": {},
    "null": {"poolclass": NullPool},
    "static": {"poolclass": StaticPool},
    "ping": {"pool_pre_ping": True},
    "recycle": {"pool_recycle": 0},
    "narrow": {"pool_size": 1, "max_overflow": 0},
}


def engine(driver: str, pool: str) -> AsyncEngine:
    """Return an engine with the URL of a production server that does not resolve."""
    return create_async_engine(f"postgresql+{driver}://app:secret@nowhere.invalid:1/prod", **POOLS[pool])


ENGINES = {
    f"{driver}-{pool}": engine(driver, pool)
    for driver in ("asyncpg", "psycopg")
    for pool in os.environ["INNER_POOLS"].split()
}
