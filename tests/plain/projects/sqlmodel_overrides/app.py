"""SQLModel's documented recipe: a Session fixture and a client fixture that overrides the dependency with it."""

import os

from typing import Optional

from fastapi import Depends, FastAPI, HTTPException
from sqlalchemy.orm import registry
from sqlmodel import Field, Session, SQLModel, create_engine, select

engine = create_engine(os.environ["DATABASE_URL"])


class Base(SQLModel, registry=registry()):
    pass


class Hero(Base, table=True):
    id: Optional[int] = Field(default=None, primary_key=True)
    name: str


def get_session():
    with Session(engine) as session:
        yield session


app = FastAPI()


@app.post("/heroes/{name}")
def create(name: str, session: Session = Depends(get_session)):
    hero = Hero(name=name)
    session.add(hero)
    session.commit()
    session.refresh(hero)
    return hero


@app.get("/heroes")
def read(session: Session = Depends(get_session)):
    return session.exec(select(Hero)).all()


@app.delete("/heroes/{key}")
def delete(key: int, session: Session = Depends(get_session)):
    hero = session.get(Hero, key)
    if not hero:
        raise HTTPException(404)
    session.delete(hero)
    session.commit()
