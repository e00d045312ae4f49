"""Doctests beside tests: examples in the docstrings of a module, which write."""

import os

from sqlalchemy import create_engine, func, select
from sqlalchemy.orm import DeclarativeBase, Mapped, Session, mapped_column

engine = create_engine(os.environ["DATABASE_URL"])


class Base(DeclarativeBase):
    pass


class Apple(Base):
    __tablename__ = "apples"
    id: Mapped[int] = mapped_column(primary_key=True)


def pick():
    with Session(engine) as session:
        session.add(Apple())
        session.commit()
        return session.scalar(select(func.count()).select_from(Apple))
