"""The run of the migrations over the application's own driver, or over a connection that the caller passes."""

from __future__ import annotations

import asyncio

from alembic import context
from sqlalchemy import Connection
from sqlalchemy.ext.asyncio import create_async_engine
from sqlalchemy.pool import NullPool

from ledger.models import Base
from ledger.settings import settings


def include_name(name: str | None, kind: str, _parents: object) -> bool:
    """Leave out the audit log's partitions, which belong to their parent, not to the models."""
    return not (kind == "table" and name is not None and name.startswith("audit_log_"))


def migrate(connection: Connection) -> None:
    """Run the migrations over this connection."""
    context.configure(connection=connection, target_metadata=Base.metadata, include_name=include_name)
    with context.begin_transaction():
        context.run_migrations()


async def migrate_online() -> None:
    """Run the migrations over a new connection."""
    engine = create_async_engine(settings.database_url, poolclass=NullPool)
    async with engine.connect() as connection:
        await connection.run_sync(migrate)
        await connection.commit()


def migrate_offline() -> None:
    """Print the SQL."""
    context.configure(url=settings.database_url, target_metadata=Base.metadata, literal_binds=True)
    with context.begin_transaction():
        context.run_migrations()


given: Connection | None = context.config.attributes.get("connection")
if context.is_offline_mode():
    migrate_offline()
elif given is not None:
    migrate(given)
else:
    asyncio.run(migrate_online())
