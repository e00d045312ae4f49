"""A shop whose operations have one fault each, beside sound ones."""

import os
from typing import Annotated
from uuid import UUID

from fastapi import Depends, FastAPI, Header, HTTPException
from fastapi.responses import JSONResponse
from fastapi.security import HTTPBearer
from pydantic import BaseModel, Field
from sqlalchemy import String, create_engine, select, text
from sqlalchemy.ext.asyncio import AsyncSession, async_sessionmaker, create_async_engine
from sqlalchemy.orm import DeclarativeBase, Mapped, Session, mapped_column

SERVER = "//shop:secret@db.production.invalid/shop"
engine = create_async_engine(f"postgresql+{os.environ.get('DRIVER', 'asyncpg')}:{SERVER}")
AsyncSessions = async_sessionmaker(engine, expire_on_commit=False)
sync_engine = create_engine(f"postgresql+{os.environ.get('SYNC_DRIVER', 'psycopg')}:{SERVER}")
app = FastAPI()
kept = []


class Base(DeclarativeBase):
    pass


class Item(Base):
    __tablename__ = "items"
    id: Mapped[int] = mapped_column(primary_key=True)
    name: Mapped[str] = mapped_column(String(20), unique=True)


class Attempt(Base):
    __tablename__ = "attempts"
    id: Mapped[int] = mapped_column(primary_key=True)


class Parcel(Base):
    __tablename__ = "parcels"
    id: Mapped[UUID] = mapped_column(primary_key=True)


class User(Base):
    __tablename__ = "users"
    id: Mapped[int] = mapped_column(primary_key=True)
    name: Mapped[str]


class NewItem(BaseModel):
    name: str = Field(max_length=20, pattern="^[a-z]+$")
    price: int = Field(ge=0, le=1000)


async def get_db():
    async with AsyncSessions() as session:
        yield session


def get_sync_db():
    with Session(sync_engine) as session:
        yield session


Db = Annotated[AsyncSession, Depends(get_db)]
SyncDb = Annotated[Session, Depends(get_sync_db)]


async def current_user(db: Db, token: Annotated[object, Depends(HTTPBearer())]):
    user = await db.scalar(select(User).where(User.name == token.credentials))
    if user is None:
        raise HTTPException(401)
    return user


CurrentUser = Annotated[User, Depends(current_user)]


@app.get("/health")
async def health():
    return {"status": "up"}


@app.post("/sound", status_code=201)
async def sound(new: NewItem, db: Db):
    if new.price > 500:
        raise HTTPException(409)
    db.add(Item(name=new.name))
    await db.commit()


@app.post("/sound/sync", status_code=201)
def sound_in_thread(new: NewItem, db: SyncDb):
    db.add(Item(name=new.name))
    db.flush()
    if new.price > 500:
        raise HTTPException(409)
    db.commit()


@app.post("/fails", status_code=201)
async def fails(new: NewItem, db: Db):
    return 1 / (new.price < 100)


@app.post("/answers-503", status_code=201)
async def answers_503(new: NewItem):
    return JSONResponse({}, 503 if new.price > 3 else 201)


@app.post("/refuses", status_code=201)
async def refuses(new: NewItem, db: Db):
    db.add(Item(name=new.name))
    await db.commit()
    if new.price > 4:
        raise HTTPException(409, "too dear")


@app.post("/refuses/sync", status_code=201)
def refuses_in_thread(new: NewItem, db: SyncDb):
    db.add(Item(name=new.name))
    db.commit()
    if new.price > 4:
        raise HTTPException(422)


@app.post("/logs", status_code=201)
async def logs_attempts(new: NewItem, db: Db):
    db.add(Attempt())
    await db.commit()
    raise HTTPException(409)


@app.post("/writes-nothing", status_code=201)
async def writes_the_same(new: NewItem, db: Db):
    async with AsyncSessions.begin() as session:
        session.add(Item(name=new.name))
    async with AsyncSessions.begin() as session:
        await session.delete(await session.scalar(select(Item)))
    raise HTTPException(409)


@app.post("/ddl", status_code=201)
async def makes_a_table(new: NewItem):
    async with engine.begin() as connection:
        await connection.execute(text("CREATE TABLE more (id integer)"))
    raise HTTPException(409)


@app.post("/open", status_code=201)
async def leaves_open(new: NewItem):
    session = AsyncSessions()
    kept.append(session)
    session.add(Item(name=new.name))
    await session.flush()


@app.post("/open/sync", status_code=201)
def leaves_open_in_thread(new: NewItem):
    session = Session(sync_engine)
    kept.append(session)
    session.add(Item(name=new.name))
    session.flush()


@app.post("/me/refuses", status_code=201)
async def refuses_users(new: NewItem, user: CurrentUser, db: Db):
    db.add(Item(name=new.name))
    await db.commit()
    raise HTTPException(403)


@app.post("/me/writes-first", status_code=201)
async def writes_before_it_asks(new: NewItem, db: Db, authorization: Annotated[str | None, Header()] = None):
    db.add(Item(name=new.name))
    await db.commit()
    if authorization != "Bearer ada":
        raise HTTPException(401)


@app.post("/parcels/{parcel_id}")
async def send_parcel(parcel_id: UUID, weight: int, db: Db):
    if await db.get(Parcel, parcel_id) is None:
        raise HTTPException(404)
    return 1 / (parcel_id.int % 2)


@app.get("/items/{item_id}")
async def one(item_id: int, db: Db):
    if item_id > 2**31 - 1 or item_id < 0 or await db.get(Item, item_id) is None:
        raise HTTPException(404)
    return {"id": item_id}
