"""Everything that the tests of isolation have in one database, as metadata: for a database that is not the main one."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from sqlalchemy import Column, Integer, MetaData, Table, event, text

SCHEMA = Path(__file__).parents[1] / "isolation" / "schema.sql"

metadata = MetaData()
Table("first", metadata, Column("id", Integer, primary_key=True))


@event.listens_for(metadata, "after_create")
def build(_: MetaData, connection: Any, **__: object) -> None:
    """Run schema.sql, as the owner."""
    run = connection.connection.driver_connection.execute
    run(SCHEMA.read_text("utf-8"))
    database = connection.scalar(text("SELECT quote_ident(current_database())"))
    run(f"GRANT CONNECT ON DATABASE {database} TO reader")
    run(f'ALTER DATABASE {database} SET search_path = "$user", public')
