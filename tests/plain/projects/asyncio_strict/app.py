"""pytest-asyncio in strict mode, NullPool, and a session of each test."""

import os

from sqlalchemy.ext.asyncio import async_sessionmaker, create_async_engine
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column
from sqlalchemy.pool import NullPool

engine = create_async_engine(os.environ["DATABASE_URL"], poolclass=NullPool)
Session = async_sessionmaker(engine, expire_on_commit=False)


class Base(DeclarativeBase):
    pass


class Bird(Base):
    __tablename__ = "birds"
    id: Mapped[int] = mapped_column(primary_key=True)
    name: Mapped[str]
