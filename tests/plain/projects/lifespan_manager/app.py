"""asgi-lifespan's LifespanManager in a module fixture: a start-up that seeds and warms a cache."""

import os

import contextlib

from fastapi import FastAPI, Request
from sqlalchemy import func, select
from sqlalchemy.ext.asyncio import async_sessionmaker, create_async_engine
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column

engine = create_async_engine(os.environ["DATABASE_URL"])
Session = async_sessionmaker(engine, expire_on_commit=False)


class Base(DeclarativeBase):
    pass


class Setting(Base):
    __tablename__ = "settings"
    name: Mapped[str] = mapped_column(primary_key=True)
    value: Mapped[str]


class Visit(Base):
    __tablename__ = "visits"
    id: Mapped[int] = mapped_column(primary_key=True)


@contextlib.asynccontextmanager
async def lifespan(app):
    async with engine.begin() as connection:
        await connection.run_sync(Base.metadata.create_all)
    async with Session() as session:
        await session.merge(Setting(name="colour", value="blue"))
        await session.commit()
        app.state.cache = {row.name: row.value for row in await session.scalars(select(Setting))}
    yield
    app.state.cache = None


app = FastAPI(lifespan=lifespan)


@app.post("/visits")
async def visit(request: Request):
    async with Session() as session:
        session.add(Visit())
        await session.commit()
        total = await session.scalar(select(func.count()).select_from(Visit))
        return {"total": total, **request.app.state.cache}
