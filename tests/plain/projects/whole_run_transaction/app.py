"""One outer transaction for the whole run on one connection; savepoints for modules and for tests."""

import os

from sqlalchemy import create_engine
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column

engine = create_engine(os.environ["DATABASE_URL"])


class Base(DeclarativeBase):
    pass


class Stone(Base):
    __tablename__ = "stones"
    id: Mapped[int] = mapped_column(primary_key=True)
    kind: Mapped[str]
