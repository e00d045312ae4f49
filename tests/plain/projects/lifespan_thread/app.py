"""A scheduler's thread that the lifespan of a module's TestClient starts, while other tests run DDL."""

import os

import contextlib
import threading

from fastapi import FastAPI
from sqlalchemy import create_engine, select
from sqlalchemy.orm import DeclarativeBase, Mapped, Session, mapped_column

engine = create_engine(os.environ["DATABASE_URL"])


class Base(DeclarativeBase):
    pass


class Task(Base):
    __tablename__ = "tasks"
    id: Mapped[int] = mapped_column(primary_key=True)
    done: Mapped[bool] = mapped_column(default=False)


class Scheduler(threading.Thread):
    def __init__(self):
        super().__init__()
        self.stop = threading.Event()
        self.errors = []

    def run(self):
        while not self.stop.wait(0.01):
            try:
                with Session(engine) as session:
                    for task in session.scalars(select(Task).where(~Task.done).with_for_update(skip_locked=True)):
                        task.done = True
                    session.commit()
            except Exception as error:
                self.errors.append(repr(error))


@contextlib.asynccontextmanager
async def lifespan(app):
    Base.metadata.create_all(engine)
    app.state.scheduler = Scheduler()
    app.state.scheduler.start()
    yield
    app.state.scheduler.stop.set()
    app.state.scheduler.join()
    engine.dispose()


app = FastAPI(lifespan=lifespan)


@app.post("/tasks")
def add():
    with Session(engine) as session:
        task = Task()
        session.add(task)
        session.commit()
        return task.id


@app.get("/tasks/{key}")
def done(key: int):
    with Session(engine) as session:
        return session.get(Task, key).done


@app.get("/errors")
def errors():
    return app.state.scheduler.errors
