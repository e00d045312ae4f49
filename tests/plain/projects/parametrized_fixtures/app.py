"""Fixtures of every scope, parametrized ones among them, that commit rows and delete them in their teardown."""

import os

from sqlalchemy import create_engine, delete, select
from sqlalchemy.orm import DeclarativeBase, Mapped, Session, mapped_column

engine = create_engine(os.environ["DATABASE_URL"])


class Base(DeclarativeBase):
    pass


class Tag(Base):
    __tablename__ = "tags"
    name: Mapped[str] = mapped_column(primary_key=True)


def add(name):
    with Session(engine) as session:
        session.add(Tag(name=name))
        session.commit()


def remove(name):
    with Session(engine) as session:
        session.execute(delete(Tag).where(Tag.name == name))
        session.commit()


def names():
    with Session(engine) as session:
        return set(session.scalars(select(Tag.name)))
