"""A Session of a module under REPEATABLE READ, that goes on reading from its snapshot while tests write."""

import os

from sqlalchemy import create_engine
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column

engine = create_engine(os.environ["DATABASE_URL"])
reporting = engine.execution_options(isolation_level="REPEATABLE READ", postgresql_readonly=True)


class Base(DeclarativeBase):
    pass


class Reading(Base):
    __tablename__ = "readings"
    id: Mapped[int] = mapped_column(primary_key=True)
    value: Mapped[int]
