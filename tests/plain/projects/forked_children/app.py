"""Children that are forked: a pool of processes that writes, and a process that reads."""

import os

import multiprocessing
from concurrent.futures import ProcessPoolExecutor

from sqlalchemy import create_engine, func, select
from sqlalchemy.orm import DeclarativeBase, Mapped, Session, mapped_column

engine = create_engine(os.environ["DATABASE_URL"])
fork = multiprocessing.get_context("fork")


class Base(DeclarativeBase):
    pass


class Sack(Base):
    __tablename__ = "sacks"
    id: Mapped[int] = mapped_column(primary_key=True)
    kg: Mapped[int]


def fresh():
    engine.dispose(close=False)


def mill(kg):
    with Session(engine) as session:
        session.add(Sack(kg=kg))
        session.commit()
    return kg


def total():
    with Session(engine) as session:
        return session.scalar(select(func.coalesce(func.sum(Sack.kg), 0)))


def mill_all(weights):
    with ProcessPoolExecutor(2, mp_context=fork, initializer=fresh) as pool:
        return sum(pool.map(mill, weights))


def tell(queue):
    fresh()
    queue.put(total())


def total_in_a_child():
    queue = fork.Queue()
    child = fork.Process(target=tell, args=(queue,))
    child.start()
    try:
        return queue.get(timeout=10)
    finally:
        child.join()
        queue.close()
