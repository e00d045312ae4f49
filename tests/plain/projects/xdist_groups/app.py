"""Groups of pytest-xdist, each with rows of its module that its tests share."""

import os

from sqlalchemy import create_engine, delete, func, select
from sqlalchemy.orm import DeclarativeBase, Mapped, Session, mapped_column

engine = create_engine(os.environ["DATABASE_URL"])


class Base(DeclarativeBase):
    pass


class Seat(Base):
    __tablename__ = "seats"
    id: Mapped[int] = mapped_column(primary_key=True)
    hall: Mapped[str]


def fill(hall, number):
    with Session(engine) as session:
        session.add_all(Seat(hall=hall) for _ in range(number))
        session.commit()


def clear(hall):
    with Session(engine) as session:
        session.execute(delete(Seat).where(Seat.hall == hall))
        session.commit()


def count(hall):
    with Session(engine) as session:
        return session.scalar(select(func.count()).where(Seat.hall == hall))
