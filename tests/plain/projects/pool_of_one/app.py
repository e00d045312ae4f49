"""Pools of one connection: QueuePool without overflow, StaticPool and SingletonThreadPool beside it."""

import os

from sqlalchemy import create_engine
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column
from sqlalchemy.pool import SingletonThreadPool, StaticPool

engine = create_engine(os.environ["DATABASE_URL"], pool_size=1, max_overflow=0, pool_timeout=5)
engines = {
    "queue": engine,
    "static": create_engine(engine.url, poolclass=StaticPool),
    "singleton": create_engine(engine.url, poolclass=SingletonThreadPool),
    "pinged": create_engine(engine.url, pool_size=1, max_overflow=0, pool_timeout=5, pool_pre_ping=True),
}


class Base(DeclarativeBase):
    pass


class Coin(Base):
    __tablename__ = "coins"
    id: Mapped[int] = mapped_column(primary_key=True)
