"""The tables that a recipe has made."""

from __future__ import annotations

from sqlalchemy import text
from sqlalchemy.engine import Engine

QUERY = (
    "SELECT EXISTS (SELECT FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace WHERE c.relkind IN"
    " ('r', 'p', 'f') AND n.nspname <> 'information_schema' AND NOT starts_with(n.nspname::text, 'pg_'))"
)


def has_tables(engine: Engine) -> bool:
    """Return whether the database that *engine* leads to has a table of the project's."""
    with engine.connect() as connection:
        return bool(connection.scalar(text(QUERY)))
