"""The application: it commits as applications do, through sessions of its own."""

from __future__ import annotations

import os
from collections.abc import AsyncIterator
from typing import Annotated

from fastapi import Depends, FastAPI
from sqlalchemy import func, select
from sqlalchemy.ext.asyncio import AsyncSession, async_sessionmaker, create_async_engine

from app.models import Category, Customer, Line, Order, Product, Stock

engine = create_async_engine(os.environ["DATABASE_URL"])
SessionLocal = async_sessionmaker(engine, expire_on_commit=False)


async def get_db() -> AsyncIterator[AsyncSession]:
    async with SessionLocal() as session:
        yield session


Session = Annotated[AsyncSession, Depends(get_db)]
app = FastAPI()


async def products(session: AsyncSession) -> list[list[object]]:
    """Return sku, category and pieces of all products."""
    pieces = func.sum(Stock.pieces)
    query = select(Product.sku, Category.name, pieces).join(Category).join(Stock)
    rows = await session.execute(query.group_by(Product.sku, Category.name).order_by(Product.sku))
    return [list(row) for row in rows]


async def register(session: AsyncSession, email: str) -> int:
    """Commit a customer: a row in one table."""
    customer = Customer(email=email)
    session.add(customer)
    await session.commit()
    return customer.id


async def buy(session: AsyncSession, email: str) -> int:
    """Commit a customer with an order of two products: rows in three tables."""
    customer = Customer(email=email)
    session.add(customer)
    await session.flush()
    order = Order(customer_id=customer.id)
    session.add(order)
    await session.flush()
    session.add_all([Line(order_id=order.id, sku=f"sku-{n}", pieces=n) for n in (1, 2)])
    await session.commit()
    return order.id


async def counts(session: AsyncSession) -> list[int]:
    """Return the numbers of customers, orders and lines."""
    return [await session.scalar(select(func.count(model.id))) or 0 for model in (Customer, Order, Line)]


@app.get("/products")
async def get_products(session: Session) -> list[list[object]]:
    return await products(session)


@app.post("/customers", status_code=201)
async def post_customer(session: Session, email: str) -> int:
    return await register(session, email)


@app.post("/orders", status_code=201)
async def post_order(session: Session, email: str) -> int:
    return await buy(session, email)


@app.get("/counts")
async def get_counts(session: Session) -> list[int]:
    return await counts(session)
