"""What Alembic's autogenerate finds, as Python that a revision could hold."""

from __future__ import annotations

import textwrap
import warnings
from typing import Any

from sqlalchemy import Connection, MetaData
from sqlalchemy.exc import SAWarning


def rendered(operations: Any) -> str:
    """Alembic's *operations* as it would write them into ``upgrade()``."""
    from alembic.autogenerate import render_python_code

    lines = f"    {render_python_code(operations)}".splitlines()
    return textwrap.dedent("\n".join(line for line in lines if not line.strip().startswith("# ###")))


def compare(connection: Connection, metadata: list[MetaData]) -> str:
    """What would have to be done to the database of *connection* to make it what *metadata* say; nothing if alike."""
    from alembic.autogenerate import produce_migrations
    from alembic.migration import MigrationContext

    schemas = any(table.schema for each in metadata for table in each.tables.values())
    context = MigrationContext.configure(connection, opts={"target_metadata": metadata, "include_schemas": schemas})
    with warnings.catch_warnings():
        # Of foreign keys in a cycle, which only the order of what would be created depends on.
        warnings.filterwarnings("ignore", "Cannot correctly sort tables", SAWarning)
        # Several are fine, as in target_metadata; only the annotation says otherwise.
        operations = produce_migrations(context, metadata).upgrade_ops  # type: ignore[arg-type]
    return "" if operations is None or operations.is_empty() else rendered(operations)
