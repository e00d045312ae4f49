from typing import Annotated

from fastapi import Depends, FastAPI
from pydantic import BaseModel
from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

from .database import get_db
from .models import Item, User
from .security import current_user

app = FastAPI()
Db = Annotated[AsyncSession, Depends(get_db)]
CurrentUser = Annotated[User, Depends(current_user)]


class NewItem(BaseModel):
    name: str


@app.get("/health")
async def health():
    return {"status": "up"}


@app.post("/items", status_code=201)
async def create_item(new: NewItem, db: Db):
    item = Item(name=new.name)
    db.add(item)
    await db.commit()
    return {"id": item.id, "name": item.name}


@app.get("/items")
async def list_items(db: Db):
    return [{"id": item.id, "name": item.name} for item in await db.scalars(select(Item).order_by(Item.id))]


@app.get("/me")
async def me(user: CurrentUser):
    return {"id": user.id, "name": user.name}


@app.post("/me/items", status_code=201)
async def create_own_item(new: NewItem, user: CurrentUser, db: Db):
    item = Item(name=new.name, owner_id=user.id)
    db.add(item)
    await db.commit()
    return {"id": item.id, "name": item.name}
