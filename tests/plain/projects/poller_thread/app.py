"""A job queue's thread, started by a session fixture, that sleeps inside a transaction holding what it has claimed."""

import os
import threading
import time

from sqlalchemy import create_engine, event, select
from sqlalchemy.orm import DeclarativeBase, Mapped, Session, mapped_column

engine = create_engine(os.environ["DATABASE_URL"])


@event.listens_for(engine, "connect")
def initialise(connection, record):
    time.sleep(0.01)  # between the connection and its first checkout, where many applications set session variables


class Base(DeclarativeBase):
    pass


class Job(Base):
    __tablename__ = "jobs"
    id: Mapped[int] = mapped_column(primary_key=True)
    done: Mapped[bool] = mapped_column(default=False)


class Poller(threading.Thread):
    def __init__(self):
        super().__init__()
        self.stop = threading.Event()
        self.errors = []

    def run(self):
        while not self.stop.is_set():
            try:
                with Session(engine) as session:
                    for job in session.scalars(select(Job).where(~Job.done).with_for_update(skip_locked=True)):
                        job.done = True
                    self.stop.wait(0.02)
                    session.commit()
            except Exception as error:
                self.errors.append(error)
