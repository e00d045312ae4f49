"""ALTER SEQUENCE … RESTART, setval and identity columns restarted in a teardown, so that tests may count on keys."""

import os

from sqlalchemy import Identity, Sequence, create_engine
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column

engine = create_engine(os.environ["DATABASE_URL"])


class Base(DeclarativeBase):
    pass


class Ticket(Base):
    __tablename__ = "tickets"
    id: Mapped[int] = mapped_column(primary_key=True)


class Invoice(Base):
    __tablename__ = "invoices"
    id: Mapped[int] = mapped_column(Identity(start=100), primary_key=True)
    number: Mapped[int] = mapped_column(Sequence("invoice_numbers", start=5, metadata=Base.metadata))


def run(*statements):
    with engine.begin() as connection:
        for statement in statements:
            result = connection.exec_driver_sql(statement)
        return result.scalars().all() if result.returns_rows else None
