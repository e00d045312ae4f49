"""Schemas of any size: so many tables, so many sequences, so many megabytes of rows.

The recipes are named ``scale_schemas:tables_1000``, ``scale_schemas:sequences_2000``,
``scale_schemas:load_sequences_2000``
and ``scale_schemas:load_megabytes_1024``.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from schemas import chain
from sqlalchemy import MetaData, text
from sqlalchemy.orm import Session

_made: dict[str, Any] = {}


def __getattr__(name: str) -> Any:
    kind, _, number = name.rpartition("_")
    make = {"tables": tables, "load_sequences": load_sequences, "load_megabytes": load_megabytes}.get(kind)
    if make is None or not number.isdigit():
        raise AttributeError(name)
    if name not in _made:
        _made[name] = make(int(number))
    return _made[name]


def tables(number: int) -> MetaData:
    """Return so many tables in a chain of foreign keys."""
    return chain(number)


def load_sequences(number: int) -> Callable[[Session], None]:
    """Return a function that makes so many sequences beside those of the tables."""

    def load(session: Session) -> None:
        for at in range(number):
            session.execute(text(f"CREATE SEQUENCE number_{at}"))

    return load


def load_megabytes(number: int) -> Callable[[Session], None]:
    """Return a function that fills the first table, its indexes included, with so many megabytes."""

    def load(session: Session) -> None:
        # A row of 1,000 bytes: 7 on a page of 8 kB, and 60 bytes in its indexes.
        rows = number * 850
        fill = f"INSERT INTO t0 (name) SELECT i || repeat('x', 1000) FROM generate_series(1, {rows}) i"
        session.execute(text("ALTER TABLE t0 DROP CONSTRAINT t0_name_key"))
        session.execute(text("ALTER TABLE t0 ALTER name SET STORAGE PLAIN"))
        session.execute(text(fill))

    return load
