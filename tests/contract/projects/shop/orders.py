"""Orders, whose faults show only after other requests."""

import os
from typing import Annotated
from uuid import UUID, uuid4

from fastapi import Depends, FastAPI, HTTPException
from pydantic import BaseModel, Field
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncSession, async_sessionmaker, create_async_engine
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column

engine = create_async_engine("postgresql+asyncpg://shop:secret@db.production.invalid/orders")
AsyncSessions = async_sessionmaker(engine, expire_on_commit=False)
IS_REPAIRED = "REPAIRED" in os.environ
app = FastAPI()
kept = []


class Base(DeclarativeBase):
    pass


class Order(Base):
    __tablename__ = "orders"
    id: Mapped[UUID] = mapped_column(primary_key=True, default=uuid4)
    number: Mapped[int]
    state: Mapped[str] = mapped_column(default="open")


class NewOrder(BaseModel):
    number: int = Field(ge=1, le=1000)


class OrderOut(BaseModel):
    id: UUID
    number: int
    state: str


async def get_db():
    async with AsyncSessions() as session:
        yield session


Db = Annotated[AsyncSession, Depends(get_db)]


async def find_order(order_id: UUID, db: Db):
    order = await db.get(Order, order_id)
    if order is None:
        raise HTTPException(404)
    return order


Found = Annotated[Order, Depends(find_order)]


@app.post("/orders", status_code=201, response_model=OrderOut)
async def create_order(new: NewOrder, db: Db):
    order = Order(number=new.number)
    db.add(order)
    await db.commit()
    return order


@app.get("/orders/{order_id}", response_model=OrderOut)
async def read_order(order: Found):
    return order


@app.post("/orders/{order_id}/cancel", response_model=OrderOut)
async def cancel_order(order: Found, db: Db):
    if order.state == "cancelled":
        if IS_REPAIRED:
            raise HTTPException(409)
        raise RuntimeError("cancelled already")
    order.state = "cancelled"
    await db.commit()
    return order


@app.post("/orders/{order_id}/pay", response_model=OrderOut)
async def pay_order(order: Found, db: Db):
    if order.state != "open":
        raise HTTPException(409)
    if IS_REPAIRED and order.number > 10:
        raise HTTPException(402)
    order.state = "paid"
    await db.commit()
    if order.number > 10:
        raise HTTPException(402)
    return order


@app.delete("/orders/{order_id}", status_code=204)
async def delete_order(order_id: UUID, db: Db):
    session = db if IS_REPAIRED else AsyncSessions()
    kept.append(session)
    order = await session.get(Order, order_id)
    if order is None:
        raise HTTPException(404)
    await session.delete(order)
    if IS_REPAIRED:
        await session.commit()
    else:
        await session.flush()
