"""Sessions that read and that nobody closes, kept by tests and by the application; the pool has room for them."""

import os

from sqlalchemy import create_engine, func, select
from sqlalchemy.orm import DeclarativeBase, Mapped, Session, mapped_column

engine = create_engine(os.environ["DATABASE_URL"], pool_size=20)
forgotten = []


class Base(DeclarativeBase):
    pass


class Leaf(Base):
    __tablename__ = "leaves"
    id: Mapped[int] = mapped_column(primary_key=True)


def count():
    session = Session(engine)
    forgotten.append(session)
    return session.scalar(select(func.count()).select_from(Leaf))


def add():
    with Session(engine) as session:
        session.add(Leaf())
        session.commit()
