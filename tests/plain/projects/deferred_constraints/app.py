"""Deferred foreign keys and unique constraints, which fail at the commit."""

import os
from typing import Optional

from sqlalchemy import ForeignKey, UniqueConstraint, create_engine
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column

engine = create_engine(os.environ["DATABASE_URL"])


class Base(DeclarativeBase):
    pass


class Track(Base):
    __tablename__ = "tracks"
    __table_args__ = (UniqueConstraint("position", deferrable=True, initially="DEFERRED"),)
    id: Mapped[int] = mapped_column(primary_key=True)
    position: Mapped[int]
    after_id: Mapped[Optional[int]] = mapped_column(ForeignKey("tracks.id", deferrable=True, initially="DEFERRED"))
