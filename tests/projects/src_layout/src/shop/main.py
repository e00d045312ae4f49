from decimal import Decimal
from typing import Annotated

from fastapi import Depends, FastAPI
from pydantic import BaseModel, ConfigDict, Field
from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

from .database import get_db
from .models import Product

app = FastAPI(title="Shop")
Database = Annotated[AsyncSession, Depends(get_db)]


class ProductIn(BaseModel):
    name: str = Field(max_length=100)
    price: Decimal = Field(gt=0)


class ProductOut(ProductIn):
    model_config = ConfigDict(from_attributes=True)

    id: int


@app.get("/products", response_model=list[ProductOut])
async def list_products(db: Database):
    return (await db.scalars(select(Product).order_by(Product.id))).all()


@app.post("/products", response_model=ProductOut, status_code=201)
async def create_product(product: ProductIn, db: Database):
    row = Product(**product.model_dump())
    db.add(row)
    await db.commit()
    return row
