"""TRUNCATE … RESTART IDENTITY CASCADE over all tables after each test; gather over five sessions; a small pool."""

import asyncio
import os

from sqlalchemy import ForeignKey, func, select
from sqlalchemy.ext.asyncio import async_sessionmaker, create_async_engine
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column

engine = create_async_engine(os.environ["DATABASE_URL"], pool_size=5, max_overflow=0, pool_timeout=5)
Session = async_sessionmaker(engine, expire_on_commit=False)


class Base(DeclarativeBase):
    pass


class Shop(Base):
    __tablename__ = "shops"
    id: Mapped[int] = mapped_column(primary_key=True)
    name: Mapped[str]


class Sale(Base):
    __tablename__ = "sales"
    id: Mapped[int] = mapped_column(primary_key=True)
    shop_id: Mapped[int] = mapped_column(ForeignKey("shops.id"))
    amount: Mapped[int]


async def sell(shop_id, amount):
    async with Session() as session:
        session.add(Sale(shop_id=shop_id, amount=amount))
        await session.commit()


async def sell_many(shop_id, amounts):
    await asyncio.gather(*(sell(shop_id, amount) for amount in amounts))


async def turnover(shop_id):
    async with Session() as session:
        return await session.scalar(select(func.sum(Sale.amount)).where(Sale.shop_id == shop_id))
