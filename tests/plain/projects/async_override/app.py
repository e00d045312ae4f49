"""An AsyncSession of a module that a dependency override gives to the application; deletes after each test."""

import os

from fastapi import Depends, FastAPI
from sqlalchemy import func, select
from sqlalchemy.ext.asyncio import AsyncSession, async_sessionmaker, create_async_engine
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column

engine = create_async_engine(os.environ["DATABASE_URL"])
Session = async_sessionmaker(engine, expire_on_commit=False)


class Base(DeclarativeBase):
    pass


class Note(Base):
    __tablename__ = "notes"
    id: Mapped[int] = mapped_column(primary_key=True)
    text: Mapped[str]


async def get_db():
    async with Session() as session:
        yield session


app = FastAPI()


@app.post("/notes/{text}")
async def add(text: str, db: AsyncSession = Depends(get_db)):
    note = Note(text=text)
    db.add(note)
    await db.commit()
    return note.id


@app.get("/count")
async def count(db: AsyncSession = Depends(get_db)):
    return await db.scalar(select(func.count()).select_from(Note))
