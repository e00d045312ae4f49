"""anyio's pytest plugin instead of pytest-asyncio: a module's loop, engine and client."""

import os

from fastapi import FastAPI
from sqlalchemy import func, select
from sqlalchemy.ext.asyncio import async_sessionmaker, create_async_engine
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column

engine = create_async_engine(os.environ["DATABASE_URL"])
Session = async_sessionmaker(engine, expire_on_commit=False)


class Base(DeclarativeBase):
    pass


class Post(Base):
    __tablename__ = "posts"
    id: Mapped[int] = mapped_column(primary_key=True)


app = FastAPI()


@app.post("/posts")
async def add():
    async with Session() as session:
        session.add(Post())
        await session.commit()
        return await session.scalar(select(func.count()).select_from(Post))
