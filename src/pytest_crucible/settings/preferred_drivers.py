"""The drivers of engines that Crucible makes, the preferred first; each is named as it is imported."""

from __future__ import annotations

ASYNC_DRIVERS = ("asyncpg", "psycopg")
SYNC_DRIVERS = ("psycopg", "psycopg2")
