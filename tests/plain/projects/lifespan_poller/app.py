"""A TestClient for a module, whose application seeds at start-up, polls and listens in tasks of its lifespan."""

import asyncio
import contextlib
import os

from fastapi import FastAPI
from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession, create_async_engine
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column

engine = create_async_engine(os.environ["DATABASE_URL"])


class Base(DeclarativeBase):
    pass


class Sail(Base):
    __tablename__ = "sails"
    id: Mapped[int] = mapped_column(primary_key=True)
    name: Mapped[str]
    seen: Mapped[bool] = mapped_column(default=False)


async def poll():
    while True:
        async with engine.begin() as connection:
            keys = (await connection.scalars(select(Sail.id).where(~Sail.seen).with_for_update(skip_locked=True))).all()
            if keys:
                await connection.execute(Sail.__table__.update().where(Sail.id.in_(keys)).values(seen=True))
            await asyncio.sleep(0.01)


@contextlib.asynccontextmanager
async def lifespan(app):
    async with engine.begin() as connection:
        await connection.run_sync(Base.metadata.create_all)
        if not await connection.scalar(select(Sail.id).where(Sail.name == "main")):
            await connection.execute(Sail.__table__.insert().values(name="main", seen=True))
    app.state.poller = asyncio.create_task(poll())
    yield
    app.state.poller.cancel()
    with contextlib.suppress(asyncio.CancelledError):
        await app.state.poller
    await engine.dispose()


app = FastAPI(lifespan=lifespan)


@app.post("/sails/{name}")
async def add(name: str):
    async with AsyncSession(engine, expire_on_commit=False) as session:
        sail = Sail(name=name)
        session.add(sail)
        await session.commit()
        return sail.id


@app.get("/sails/{key}")
async def read(key: int):
    async with AsyncSession(engine) as session:
        sail = await session.get(Sail, key)
        return {"name": sail.name, "seen": sail.seen, "polling": not app.state.poller.done()}


@app.get("/main")
async def main():
    async with AsyncSession(engine) as session:
        return len((await session.scalars(select(Sail).where(Sail.name == "main"))).all())
