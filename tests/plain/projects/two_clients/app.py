"""A synchronous TestClient of a module and an httpx client of each test on one application, sessions per request."""

import os

from fastapi import Depends, FastAPI
from sqlalchemy import func, select
from sqlalchemy.ext.asyncio import AsyncSession, async_sessionmaker, create_async_engine
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column
from sqlalchemy.pool import NullPool

engine = create_async_engine(os.environ["DATABASE_URL"], poolclass=NullPool)
Session = async_sessionmaker(engine, expire_on_commit=False)


class Base(DeclarativeBase):
    pass


class Car(Base):
    __tablename__ = "cars"
    id: Mapped[int] = mapped_column(primary_key=True)


async def get_db():
    async with Session() as session:
        async with session.begin():
            yield session


app = FastAPI()


@app.post("/cars")
async def add(db: AsyncSession = Depends(get_db)):
    db.add(Car())
    await db.flush()
    return await db.scalar(select(func.count()).select_from(Car))


@app.post("/fail")
async def fail(db: AsyncSession = Depends(get_db)):
    db.add(Car())
    await db.flush()
    raise RuntimeError("after the flush")
