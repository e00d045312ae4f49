"""A global scoped_session, through which factories (factory_boy's way) save what the tests read."""

import itertools
import os

from sqlalchemy import ForeignKey, create_engine
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column, relationship, scoped_session, sessionmaker

engine = create_engine(os.environ["DATABASE_URL"])
Session = scoped_session(sessionmaker(engine))


class Base(DeclarativeBase):
    pass


class Author(Base):
    __tablename__ = "authors"
    id: Mapped[int] = mapped_column(primary_key=True)
    name: Mapped[str] = mapped_column(unique=True)


class Book(Base):
    __tablename__ = "books"
    id: Mapped[int] = mapped_column(primary_key=True)
    title: Mapped[str]
    author_id: Mapped[int] = mapped_column(ForeignKey("authors.id"))
    author: Mapped[Author] = relationship(backref="books")


class Factory:
    numbers = itertools.count()

    @classmethod
    def create(cls, **values):
        row = cls.model(**{**cls.defaults(next(cls.numbers)), **values})
        Session.add(row)
        Session.commit() if cls.commits else Session.flush()
        return row


class AuthorFactory(Factory):
    model = Author
    commits = True

    @staticmethod
    def defaults(n):
        return {"name": f"author {n}"}


class BookFactory(Factory):
    model = Book
    commits = False

    @staticmethod
    def defaults(n):
        return {"title": f"book {n}", "author": AuthorFactory.create()}
