from fastapi import Depends, FastAPI, HTTPException
from pydantic import BaseModel, Field
from sqlalchemy import select
from sqlalchemy.exc import IntegrityError
from sqlalchemy.ext.asyncio import AsyncSession

from app.database import get_db
from app.models import Item

app = FastAPI()


class ItemIn(BaseModel):
    name: str
    price: int = Field(ge=0)


class ItemOut(ItemIn):
    id: int


@app.get("/items", response_model=list[ItemOut])
async def list_items(db: AsyncSession = Depends(get_db)):
    return (await db.scalars(select(Item).order_by(Item.id))).all()


@app.post("/items", response_model=ItemOut, status_code=201)
async def create_item(data: ItemIn, db: AsyncSession = Depends(get_db)):
    item = Item(**data.model_dump())
    db.add(item)
    try:
        await db.commit()
    except IntegrityError:
        await db.rollback()
        raise HTTPException(409, "the name is taken") from None
    return item


@app.get("/items/{item_id}", response_model=ItemOut)
async def read_item(item_id: int, db: AsyncSession = Depends(get_db)):
    item = await db.get(Item, item_id)
    if item is None:
        raise HTTPException(404)
    return item


@app.delete("/items/{item_id}", status_code=204)
async def delete_item(item_id: int, db: AsyncSession = Depends(get_db)):
    await db.delete(await read_item(item_id, db))
    await db.commit()
