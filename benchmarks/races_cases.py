"""Transactions of two threads that go wrong when they meet, each beside its repaired twin, with psycopg2.

`races.py` runs them by `race` and by frontrun; the module needs SQLAlchemy alone.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from functools import partial
from typing import Any, NamedTuple

from sqlalchemy import DDL, Connection, create_engine, event, text
from sqlalchemy.exc import DBAPIError
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column

engine = create_engine(os.environ.get("RACES_URL", "postgresql+psycopg2://app@db.production.invalid/app"))
ROWS = """
DELETE FROM accounts; DELETE FROM tags; DELETE FROM unique_tags; DELETE FROM jobs; DELETE FROM entries;
DELETE FROM doctors;
INSERT INTO accounts VALUES (1, 100), (2, 0); INSERT INTO jobs VALUES (1, NULL), (2, NULL);
INSERT INTO doctors VALUES (1, true), (2, true);
"""


class Base(DeclarativeBase):
    """The declarative base."""


class Account(Base):
    __tablename__ = "accounts"
    id: Mapped[int] = mapped_column(primary_key=True)
    balance: Mapped[int]


class Tag(Base):
    __tablename__ = "tags"
    id: Mapped[int] = mapped_column(primary_key=True)
    name: Mapped[str]


class UniqueTag(Base):
    __tablename__ = "unique_tags"
    name: Mapped[str] = mapped_column(primary_key=True)


class Job(Base):
    __tablename__ = "jobs"
    id: Mapped[int] = mapped_column(primary_key=True)
    worker: Mapped[str | None]


class Entry(Base):
    __tablename__ = "entries"
    id: Mapped[int] = mapped_column(primary_key=True)


class Doctor(Base):
    __tablename__ = "doctors"
    id: Mapped[int] = mapped_column(primary_key=True)
    on_call: Mapped[bool]


COUNT = """CREATE FUNCTION count_entries() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN UPDATE accounts SET balance = (SELECT count(*) FROM entries) WHERE id = 2; RETURN NULL; END $$"""
for definition in (
    COUNT,
    "CREATE TRIGGER counted AFTER INSERT ON entries FOR EACH ROW EXECUTE FUNCTION count_entries()",
):
    event.listen(Base.metadata, "after_create", DDL(definition))


def rows() -> None:
    """Put the rows of the beginning in."""
    with engine.begin() as connection:
        connection.execute(text(ROWS))


def _value(connection: Connection, query: str) -> Any:
    return connection.execute(text(query)).scalar()


def _is(query: str, expected: int) -> bool:
    with engine.connect() as connection:
        return bool(_value(connection, query) == expected)


def _deposit(lock: str = "") -> None:
    with engine.begin() as connection:
        balance = _value(connection, f"SELECT balance FROM accounts WHERE id = 1{lock}")
        connection.execute(text(f"UPDATE accounts SET balance = {balance + 10} WHERE id = 1"))


def _get_or_create() -> None:
    with engine.begin() as connection:
        if _value(connection, "SELECT id FROM tags WHERE name = 'tea'") is None:
            connection.execute(text("INSERT INTO tags (name) VALUES ('tea')"))


def _upsert() -> None:
    with engine.begin() as connection:
        connection.execute(text("INSERT INTO unique_tags VALUES ('tea') ON CONFLICT DO NOTHING"))


def _take(lock: str = "") -> None:
    with engine.begin() as connection:
        job = _value(connection, f"SELECT id FROM jobs WHERE worker IS NULL ORDER BY id LIMIT 1{lock}")
        if job is not None:
            connection.execute(text(f"UPDATE jobs SET worker = concat(worker, 'x') WHERE id = {job}"))


def _enter(*, lock: bool = False) -> None:
    with engine.begin() as connection:
        if lock:
            connection.execute(text("SELECT balance FROM accounts WHERE id = 2 FOR UPDATE"))
        connection.execute(text("INSERT INTO entries DEFAULT VALUES"))


def _leave(doctor: int, level: str) -> None:
    for _ in range(3):
        try:
            with engine.execution_options(isolation_level=level).begin() as connection:
                if _value(connection, "SELECT count(*) FROM doctors WHERE on_call") >= 2:
                    connection.execute(text(f"UPDATE doctors SET on_call = false WHERE id = {doctor}"))
        except DBAPIError as error:
            if "serialize" not in str(error):
                raise
        else:
            return


class Case(NamedTuple):
    """Two actors, and what must hold after them."""

    name: str
    is_wrong: bool
    actors: list[Callable[[], None]]
    invariant: Callable[[], bool]


BALANCE = partial(_is, "SELECT balance FROM accounts WHERE id = 1", 120)
ONE_TAG = partial(_is, "SELECT (SELECT count(*) FROM tags) + (SELECT count(*) FROM unique_tags)", 1)
TWO_JOBS = partial(_is, "SELECT count(*) FROM jobs WHERE worker = 'x'", 2)
TWO_ENTRIES = partial(_is, "SELECT balance FROM accounts WHERE id = 2", 2)
ONE_DOCTOR = partial(_is, "SELECT count(*) FROM doctors WHERE on_call", 1)
CASES = [
    Case("lost update", True, [_deposit] * 2, BALANCE),
    Case("the same FOR UPDATE", False, [partial(_deposit, " FOR UPDATE")] * 2, BALANCE),
    Case("get or create", True, [_get_or_create] * 2, ONE_TAG),
    Case("upsert", False, [_upsert] * 2, ONE_TAG),
    Case("a job taken twice", True, [_take] * 2, TWO_JOBS),
    Case("SKIP LOCKED", False, [partial(_take, " FOR UPDATE SKIP LOCKED")] * 2, TWO_JOBS),
    Case("a counter of a trigger", True, [_enter] * 2, TWO_ENTRIES),
    Case("the same, its row locked first", False, [partial(_enter, lock=True)] * 2, TWO_ENTRIES),
    Case("write skew", True, [partial(_leave, doctor, "REPEATABLE READ") for doctor in (1, 2)], ONE_DOCTOR),
    Case("SERIALIZABLE with retry", False, [partial(_leave, doctor, "SERIALIZABLE") for doctor in (1, 2)], ONE_DOCTOR),
]
