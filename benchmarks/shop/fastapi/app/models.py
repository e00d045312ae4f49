"""Eleven tables; the rows of six of them come with the tables."""

from __future__ import annotations

from decimal import Decimal

from sqlalchemy import Connection, ForeignKey, MetaData, Numeric, event, insert
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column


class Base(DeclarativeBase):
    pass


class Country(Base):
    __tablename__ = "countries"
    code: Mapped[str] = mapped_column(primary_key=True)
    name: Mapped[str]


class Category(Base):
    __tablename__ = "categories"
    slug: Mapped[str] = mapped_column(primary_key=True)
    name: Mapped[str]


class Supplier(Base):
    __tablename__ = "suppliers"
    code: Mapped[str] = mapped_column(primary_key=True)
    country_code: Mapped[str] = mapped_column(ForeignKey(Country.code))


class Warehouse(Base):
    __tablename__ = "warehouses"
    code: Mapped[str] = mapped_column(primary_key=True)
    country_code: Mapped[str] = mapped_column(ForeignKey(Country.code))


class Product(Base):
    __tablename__ = "products"
    sku: Mapped[str] = mapped_column(primary_key=True)
    name: Mapped[str]
    price: Mapped[Decimal] = mapped_column(Numeric(10, 2))
    category_slug: Mapped[str] = mapped_column(ForeignKey(Category.slug), index=True)
    supplier_code: Mapped[str] = mapped_column(ForeignKey(Supplier.code), index=True)


class Stock(Base):
    __tablename__ = "stock"
    id: Mapped[int] = mapped_column(primary_key=True)
    sku: Mapped[str] = mapped_column(ForeignKey(Product.sku), index=True)
    warehouse_code: Mapped[str] = mapped_column(ForeignKey(Warehouse.code), index=True)
    pieces: Mapped[int]


class Customer(Base):
    __tablename__ = "customers"
    id: Mapped[int] = mapped_column(primary_key=True)
    email: Mapped[str] = mapped_column(unique=True)


class Address(Base):
    __tablename__ = "addresses"
    id: Mapped[int] = mapped_column(primary_key=True)
    customer_id: Mapped[int] = mapped_column(ForeignKey(Customer.id), index=True)
    country_code: Mapped[str] = mapped_column(ForeignKey(Country.code), index=True)


class Order(Base):
    __tablename__ = "orders"
    id: Mapped[int] = mapped_column(primary_key=True)
    customer_id: Mapped[int] = mapped_column(ForeignKey(Customer.id), index=True)


class Line(Base):
    __tablename__ = "lines"
    id: Mapped[int] = mapped_column(primary_key=True)
    order_id: Mapped[int] = mapped_column(ForeignKey(Order.id), index=True)
    sku: Mapped[str] = mapped_column(ForeignKey(Product.sku), index=True)
    pieces: Mapped[int]


class Payment(Base):
    __tablename__ = "payments"
    id: Mapped[int] = mapped_column(primary_key=True)
    order_id: Mapped[int] = mapped_column(ForeignKey(Order.id), index=True)
    amount: Mapped[Decimal] = mapped_column(Numeric(10, 2))


ROWS = {
    Country: [{"code": code, "name": code} for code in ("AT", "CH", "DE")],
    Category: [{"slug": slug, "name": slug.title()} for slug in ("tools", "paint", "books")],
    Supplier: [{"code": "north", "country_code": "DE"}, {"code": "south", "country_code": "AT"}],
    Warehouse: [{"code": "main", "country_code": "DE"}, {"code": "spare", "country_code": "CH"}],
    Product: [
        {
            "sku": f"sku-{n}",
            "name": f"Product {n}",
            "price": n,
            "category_slug": ("tools", "paint")[n % 2],
            "supplier_code": ("north", "south")[n % 2],
        }
        for n in range(1, 6)
    ],
    Stock: [
        {"sku": f"sku-{n}", "warehouse_code": code, "pieces": n} for n in range(1, 6) for code in ("main", "spare")
    ],
}


def insert_rows(connection: Connection) -> None:
    """Insert the rows that every installation has."""
    for model, rows in ROWS.items():
        connection.execute(insert(model), rows)


@event.listens_for(Base.metadata, "after_create")
def fill(target: MetaData, connection: Connection, tables: list[object], **_: object) -> None:
    """Insert them with the tables."""
    if tables:
        insert_rows(connection)
