"""Schemas to measure on: tables in a chain of foreign keys, each with a sequence for its primary key."""

from __future__ import annotations

from sqlalchemy import Column, ForeignKey, Integer, MetaData, Text, insert, text
from sqlalchemy.orm import Session
from sqlalchemy.schema import Table

# As an application writes it: where it leads in production does not resolve.
URL = "postgresql+{driver}://app@db.production.invalid/app"
SEEDS = 5


def chain(tables: int) -> MetaData:
    """Make so many tables, each of which refers to the one before."""
    metadata = MetaData()
    for number in range(tables):
        parent = [ForeignKey(f"t{number - 1}.id")] if number else []
        Table(
            f"t{number}",
            metadata,
            Column("id", Integer, primary_key=True),
            Column("parent_id", Integer, *parent, index=True),
            Column("name", Text, nullable=False, unique=True),
        )
    return metadata


forty = chain(40)
two_hundred = chain(200)


def load_forty(session: Session) -> None:
    """Insert a few rows into each of forty tables."""
    _load(session, forty)


def load_two_hundred(session: Session) -> None:
    """Insert a few rows into each of two hundred tables."""
    _load(session, two_hundred)


def _load(session: Session, metadata: MetaData) -> None:
    for table in metadata.sorted_tables:
        session.execute(insert(table), [{"name": f"seed {row}"} for row in range(SEEDS)])


def load_sequence(session: Session) -> None:
    """Make a sequence whose values each session takes ten at a time."""
    session.execute(text("CREATE SEQUENCE cached_numbers CACHE 10"))


def load_large(session: Session) -> None:
    """Fill tables with more and more rows, and one with as many as another."""
    for number, rows in enumerate((0, 2_000, 20_000, 200_000, 1_000_000, 20_000)):
        fill = f"INSERT INTO t{number} (name) SELECT 'seed ' || i FROM generate_series(1, {rows}) i"
        session.execute(text(fill))
