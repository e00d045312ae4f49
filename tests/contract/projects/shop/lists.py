"""Lists of authors with their books, some of which take a statement for each author."""

import os
from typing import Annotated

from fastapi import Depends, FastAPI
from fastapi.security import HTTPBearer
from sqlalchemy import ForeignKey, create_engine, select
from sqlalchemy.ext.asyncio import AsyncSession, async_sessionmaker, create_async_engine
from sqlalchemy.orm import DeclarativeBase, Mapped, Session, mapped_column, relationship, selectinload

SERVER = "//shop:secret@db.production.invalid/lists"
engine = create_async_engine(f"postgresql+{os.environ.get('DRIVER', 'asyncpg')}:{SERVER}")
AsyncSessions = async_sessionmaker(engine, expire_on_commit=False)
sync_engine = create_engine(f"postgresql+psycopg:{SERVER}")
app = FastAPI()


class Base(DeclarativeBase):
    pass


class Author(Base):
    __tablename__ = "authors"
    id: Mapped[int] = mapped_column(primary_key=True)
    books: Mapped[list["Book"]] = relationship()


class Book(Base):
    __tablename__ = "books"
    id: Mapped[int] = mapped_column(primary_key=True)
    author_id: Mapped[int] = mapped_column(ForeignKey(Author.id))


async def get_db():
    async with AsyncSessions() as session:
        yield session


Db = Annotated[AsyncSession, Depends(get_db)]


@app.get("/health")
async def health():
    return {"status": "up"}


@app.get("/one-by-one")
async def one_by_one(db: Db, limit: int = 100):
    authors = await db.scalars(select(Author).limit(max(0, min(limit, 100))))
    return [await books_of(author, db) for author in authors]


async def books_of(author: Author, db: AsyncSession):
    books = await db.scalars(select(Book).where(Book.author_id == author.id))
    return [book.id for book in books]


@app.get("/at-once")
async def at_once(db: Db, limit: int = 100):
    query = select(Author).limit(max(0, min(limit, 100))).options(selectinload(Author.books))
    return [[book.id for book in author.books] for author in await db.scalars(query)]


@app.get("/lazily", dependencies=[Depends(HTTPBearer())])
def lazily():
    with Session(sync_engine) as session:
        return [[book.id for book in author.books] for author in session.scalars(select(Author))]


@app.get("/only")
async def only(db: Db):
    author = (await db.scalars(select(Author))).one_or_none()
    return author and author.id


@app.get("/authors/{author_id}")
async def author(author_id: int, db: Db):
    return [await books_of(author, db) for author in await db.scalars(select(Author).where(Author.id == author_id))]
