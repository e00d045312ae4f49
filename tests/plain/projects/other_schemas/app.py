"""Tables in schemas of their own, one named in the models and one found by the search_path of the connection."""

import os

from sqlalchemy import DDL, ForeignKey, create_engine, event
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column

engine = create_engine(os.environ["DATABASE_URL"], connect_args={"options": "-c search_path=stock,public"})


class Base(DeclarativeBase):
    pass


class Customer(Base):
    __tablename__ = "customers"
    __table_args__ = {"schema": "sales"}
    id: Mapped[int] = mapped_column(primary_key=True)
    name: Mapped[str]


class Order(Base):
    __tablename__ = "orders"
    id: Mapped[int] = mapped_column(primary_key=True)
    customer_id: Mapped[int] = mapped_column(ForeignKey("sales.customers.id"))


event.listen(Base.metadata, "before_create", DDL("CREATE SCHEMA IF NOT EXISTS sales"))
event.listen(Base.metadata, "before_create", DDL("CREATE SCHEMA IF NOT EXISTS stock"))
