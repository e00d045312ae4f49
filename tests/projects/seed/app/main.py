from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Annotated

from fastapi import Depends, FastAPI
from pydantic import BaseModel
from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

from app.database import engine, get_db
from app.models import Post, User


@asynccontextmanager
async def lifespan(app: FastAPI) -> AsyncIterator[None]:
    yield
    await engine.dispose()


app = FastAPI(lifespan=lifespan)
Db = Annotated[AsyncSession, Depends(get_db)]


class UserCreate(BaseModel):
    name: str
    email: str


@app.post("/users", status_code=201)
async def create_user(new: UserCreate, db: Db) -> dict[str, int]:
    user = User(name=new.name, email=new.email)
    db.add(user)
    await db.flush()
    made = {"id": user.id}
    await db.commit()
    return made


@app.get("/users")
async def list_users(db: Db) -> list[str]:
    return list(await db.scalars(select(User.email).order_by(User.email)))


@app.get("/posts")
async def list_posts(db: Db) -> list[str]:
    return list(await db.scalars(select(Post.title).order_by(Post.id)))
