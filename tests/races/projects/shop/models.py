"""The tables of a shop, some with what prevents an anomaly and some without."""

from __future__ import annotations

import os
from datetime import datetime

from sqlalchemy import DDL, ForeignKey, event, func
from sqlalchemy.dialects.postgresql import INT4RANGE, ExcludeConstraint, Range
from sqlalchemy.ext.asyncio import async_sessionmaker, create_async_engine
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column

engine = create_async_engine(f"postgresql+{os.environ.get('DRIVER', 'asyncpg')}://app@db.production.invalid/app")
Session = async_sessionmaker(engine, expire_on_commit=False)
RepeatableRead = async_sessionmaker(engine.execution_options(isolation_level="REPEATABLE READ"))
Serializable = async_sessionmaker(engine.execution_options(isolation_level="SERIALIZABLE"))


class Base(DeclarativeBase):
    type_annotation_map = {Range[int]: INT4RANGE}


class Account(Base):
    __tablename__ = "accounts"
    id: Mapped[int] = mapped_column(primary_key=True)
    balance: Mapped[int]


class Versioned(Base):
    __tablename__ = "versioned"
    id: Mapped[int] = mapped_column(primary_key=True)
    balance: Mapped[int]
    version: Mapped[int] = mapped_column()
    __mapper_args__ = {"version_id_col": version}


class Member(Base):
    __tablename__ = "members"
    id: Mapped[int] = mapped_column(primary_key=True)
    account_id: Mapped[int] = mapped_column(ForeignKey("accounts.id"))


class Doctor(Base):
    __tablename__ = "doctors"
    name: Mapped[str] = mapped_column(primary_key=True)
    on_call: Mapped[bool]


class Tag(Base):
    __tablename__ = "tags"
    id: Mapped[int] = mapped_column(primary_key=True)
    name: Mapped[str]


class UniqueTag(Base):
    __tablename__ = "unique_tags"
    id: Mapped[int] = mapped_column(primary_key=True)
    name: Mapped[str] = mapped_column(unique=True)


class Job(Base):
    __tablename__ = "jobs"
    id: Mapped[int] = mapped_column(primary_key=True)
    worker: Mapped[str | None]


class Booking(Base):
    __tablename__ = "bookings"
    id: Mapped[int] = mapped_column(primary_key=True)
    hours: Mapped[Range[int]]


class ExclusiveBooking(Base):
    __tablename__ = "exclusive_bookings"
    id: Mapped[int] = mapped_column(primary_key=True)
    hours: Mapped[Range[int]]
    __table_args__ = (ExcludeConstraint(("hours", "&&"), using="gist"),)


class Payment(Base):
    __tablename__ = "payments"
    id: Mapped[int] = mapped_column(primary_key=True)
    key: Mapped[str]


class Key(Base):
    __tablename__ = "keys"
    key: Mapped[str] = mapped_column(primary_key=True)


class Entry(Base):
    __tablename__ = "entries"
    id: Mapped[int] = mapped_column(primary_key=True)
    counter: Mapped[str]


class Counter(Base):
    __tablename__ = "counters"
    name: Mapped[str] = mapped_column(primary_key=True)
    entries: Mapped[int]


class Lease(Base):
    __tablename__ = "leases"
    id: Mapped[int] = mapped_column(primary_key=True)
    holder: Mapped[str | None]
    expires: Mapped[datetime] = mapped_column(server_default=func.now() - func.make_interval(0, 0, 0, 1))


TRIGGER = """
CREATE FUNCTION count_entries() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF NEW.counter = 'counted' THEN
        UPDATE counters SET entries = (SELECT count(*) FROM entries WHERE counter = 'counted') WHERE name = 'counted';
    ELSE
        UPDATE counters SET entries = entries + 1 WHERE name = NEW.counter;
    END IF;
    RETURN NULL;
END $$;
CREATE TRIGGER counted AFTER INSERT ON entries FOR EACH ROW EXECUTE FUNCTION count_entries();
"""
for statement in TRIGGER.split(";\nCREATE TRIGGER"):
    text = statement if "FUNCTION count_entries() RETURNS" in statement else f"CREATE TRIGGER{statement}"
    event.listen(Base.metadata, "after_create", DDL(text))
