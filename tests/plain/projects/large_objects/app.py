"""Large objects that a table refers to, unlinked in the teardown."""

import os

from sqlalchemy import create_engine
from sqlalchemy.dialects.postgresql import OID
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column

engine = create_engine(os.environ["DATABASE_URL"])


class Base(DeclarativeBase):
    pass


class File(Base):
    __tablename__ = "files"
    name: Mapped[str] = mapped_column(primary_key=True)
    content: Mapped[int] = mapped_column(OID)


def run(*statements):
    with engine.begin() as connection:
        for statement in statements:
            result = connection.exec_driver_sql(statement)
        return result.scalars().all() if result.returns_rows else None
