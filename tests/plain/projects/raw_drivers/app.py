"""psycopg without SQLAlchemy beside an engine, both from the URL of the environment."""

import os

import psycopg
from sqlalchemy import create_engine
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column

engine = create_engine(os.environ["DATABASE_URL"])


class Base(DeclarativeBase):
    pass


class Ship(Base):
    __tablename__ = "ships"
    id: Mapped[int] = mapped_column(primary_key=True)
    name: Mapped[str]


def raw():
    scheme, _, rest = os.environ["DATABASE_URL"].partition("://")
    return psycopg.connect(f"postgresql://{rest}")
