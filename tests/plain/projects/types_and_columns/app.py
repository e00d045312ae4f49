"""Enums, domains, arrays, JSONB, ranges, generated and identity columns, server defaults and checks."""

import os

import datetime
import enum

from sqlalchemy import CheckConstraint, Computed, Enum, Identity, create_engine, func
from sqlalchemy.dialects.postgresql import ARRAY, DOMAIN, INT4RANGE, JSONB
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column
from sqlalchemy.types import Text

engine = create_engine(os.environ["DATABASE_URL"])


class Colour(enum.Enum):
    red = "red"
    blue = "blue"


class Base(DeclarativeBase):
    pass


class Thing(Base):
    __tablename__ = "things"
    __table_args__ = (CheckConstraint("width > 0", name="wide_enough"),)
    id: Mapped[int] = mapped_column(Identity(), primary_key=True)
    colour: Mapped[Colour] = mapped_column(Enum(Colour, name="colour"), server_default="red")
    email: Mapped[str] = mapped_column(DOMAIN("email", Text(), check="VALUE LIKE '%@%'"))
    width: Mapped[int]
    area: Mapped[int] = mapped_column(Computed("width * width"))
    tags: Mapped[list] = mapped_column(ARRAY(Text), server_default="{}")
    data: Mapped[dict] = mapped_column(JSONB, server_default="{}")
    between: Mapped[object] = mapped_column(INT4RANGE, server_default="[1,5)")
    made: Mapped[datetime.datetime] = mapped_column(server_default=func.now())
