"""The findings of Alembic's autogenerate, as Python that a revision could contain."""

from __future__ import annotations

import textwrap
import warnings
from typing import Any

from sqlalchemy import Connection, MetaData
from sqlalchemy.exc import SAWarning


def rendered(operations: Any) -> str:
    """Return Alembic's *operations* as it would write them into ``upgrade()``."""
    from alembic.autogenerate import render_python_code

    lines = f"    {render_python_code(operations)}".splitlines()
    return textwrap.dedent("\n".join(line for line in lines if not line.strip().startswith("# ###")))


def compare(connection: Connection, metadata: list[MetaData]) -> str:
    """Return the operations that would turn the database of *connection* into *metadata*; "" if both agree."""
    from alembic.autogenerate import produce_migrations
    from alembic.migration import MigrationContext

    schemas = any(table.schema for each in metadata for table in each.tables.values())
    context = MigrationContext.configure(connection, opts={"target_metadata": metadata, "include_schemas": schemas})
    with warnings.catch_warnings():
        # Raised for foreign keys in a cycle, which affect only the order of the operations.
        warnings.filterwarnings("ignore", "Cannot correctly sort tables", SAWarning)
        # Several are allowed, as in target_metadata; only the annotation says otherwise.
        operations = produce_migrations(context, metadata).upgrade_ops  # type: ignore[arg-type]
    return "" if operations is None or operations.is_empty() else rendered(operations)
