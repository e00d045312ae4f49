"""Events: an audit that a Session's before_flush writes, a mapper's before_update, a mail after the commit."""

import os

from sqlalchemy import create_engine, event
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column, sessionmaker

engine = create_engine(os.environ["DATABASE_URL"])
Session = sessionmaker(engine)
sent = []


class Base(DeclarativeBase):
    pass


class Person(Base):
    __tablename__ = "people"
    id: Mapped[int] = mapped_column(primary_key=True)
    name: Mapped[str]
    version: Mapped[int] = mapped_column(default=1)


class Audit(Base):
    __tablename__ = "audits"
    id: Mapped[int] = mapped_column(primary_key=True)
    text: Mapped[str]


@event.listens_for(Session, "before_flush")
def audit(session, context, instances):
    session.add_all([Audit(text=f"new {row.name}") for row in session.new if isinstance(row, Person)])


@event.listens_for(Person, "before_update")
def count(mapper, connection, person):
    person.version += 1


@event.listens_for(Session, "after_commit")
def mail(session):
    sent.append("committed")


@event.listens_for(Session, "after_rollback")
def forget(session):
    sent.append("rolled back")
