"""An engine of the tests with a role of its own, which drops and creates all tables, and replaces the application's."""

import os

from fastapi import Depends, FastAPI
from sqlalchemy import create_engine, func, select
from sqlalchemy.orm import DeclarativeBase, Mapped, Session, mapped_column

engine = create_engine(os.environ["DATABASE_URL"])


class Base(DeclarativeBase):
    pass


class Hive(Base):
    __tablename__ = "hives"
    id: Mapped[int] = mapped_column(primary_key=True)


def get_db():
    with Session(engine) as session:
        yield session


app = FastAPI()


@app.post("/hives")
def add(session: Session = Depends(get_db)):
    session.add(Hive())
    session.commit()
    return session.scalar(select(func.count()).select_from(Hive))
