"""A synchronous and an asynchronous engine in one suite: sync tests of the models, async tests of the service."""

import os

from sqlalchemy import create_engine, func, select
from sqlalchemy.ext.asyncio import async_sessionmaker, create_async_engine
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column, sessionmaker

async_engine = create_async_engine(os.environ["DATABASE_URL"])
engine = create_engine(async_engine.url.set(drivername="postgresql+psycopg"))
Session = sessionmaker(engine)
AsyncSession = async_sessionmaker(async_engine, expire_on_commit=False)


class Base(DeclarativeBase):
    pass


class Mail(Base):
    __tablename__ = "mails"
    id: Mapped[int] = mapped_column(primary_key=True)
    to: Mapped[str]


async def send(to):
    async with AsyncSession() as session:
        session.add(Mail(to=to))
        await session.commit()
        return await session.scalar(select(func.count()).select_from(Mail))
