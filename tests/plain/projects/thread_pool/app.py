"""A ThreadPoolExecutor of the application, whose threads outlive each test and have scoped sessions."""

import os

from concurrent.futures import ThreadPoolExecutor

from sqlalchemy import create_engine, func, select
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column, scoped_session, sessionmaker

engine = create_engine(os.environ["DATABASE_URL"])
Session = scoped_session(sessionmaker(engine))
executor = ThreadPoolExecutor(3)


class Base(DeclarativeBase):
    pass


class Hit(Base):
    __tablename__ = "hits"
    id: Mapped[int] = mapped_column(primary_key=True)


def hit(n):
    Session.add(Hit())
    Session.commit()
    return n


def hits():
    return Session.scalar(select(func.count()).select_from(Hit))


def hit_many(number):
    return sum(executor.map(hit, range(number)))
