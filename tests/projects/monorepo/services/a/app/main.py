from fastapi import Depends, FastAPI
from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm import Mapped, mapped_column

from app.database import Base, get_db


class Product(Base):
    __tablename__ = "products"

    id: Mapped[int] = mapped_column(primary_key=True)
    name: Mapped[str]


app = FastAPI(title="Catalogue")


@app.get("/products")
async def products(db: AsyncSession = Depends(get_db)) -> list[str]:
    return list(await db.scalars(select(Product.name).order_by(Product.name)))
