"""The best-known FastAPI template: a Session for the whole run that seeds, only reads afterwards, and deletes at the end."""

import os

from fastapi import Depends, FastAPI, HTTPException
from sqlalchemy import ForeignKey, create_engine, select
from sqlalchemy.orm import DeclarativeBase, Mapped, Session, mapped_column

engine = create_engine(os.environ["DATABASE_URL"])


class Base(DeclarativeBase):
    pass


class User(Base):
    __tablename__ = "user"
    id: Mapped[int] = mapped_column(primary_key=True)
    email: Mapped[str] = mapped_column(unique=True)


class Item(Base):
    __tablename__ = "item"
    id: Mapped[int] = mapped_column(primary_key=True)
    title: Mapped[str]
    owner_id: Mapped[int] = mapped_column(ForeignKey("user.id", ondelete="CASCADE"))


def init_db(session):
    if not session.scalar(select(User).where(User.email == "admin@example.com")):
        session.add(User(email="admin@example.com"))
        session.commit()


def get_db():
    with Session(engine) as session:
        yield session


app = FastAPI()


@app.post("/users/{email}")
def create_user(email: str, session: Session = Depends(get_db)):
    if session.scalar(select(User).where(User.email == email)):
        raise HTTPException(400)
    user = User(email=email)
    session.add(user)
    session.commit()
    return {"id": user.id, "email": user.email}


@app.post("/users/{owner}/items/{title}")
def create_item(owner: int, title: str, session: Session = Depends(get_db)):
    item = Item(title=title, owner_id=owner)
    session.add(item)
    session.commit()
    return {"id": item.id, "title": item.title}


@app.delete("/items/{key}")
def delete_item(key: int, session: Session = Depends(get_db)):
    item = session.get(Item, key)
    if item is None:
        raise HTTPException(404)
    session.delete(item)
    session.commit()
