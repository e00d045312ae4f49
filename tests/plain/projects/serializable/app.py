"""SERIALIZABLE transactions that fail and are tried again."""

import os

from sqlalchemy import create_engine, func, select
from sqlalchemy.exc import DBAPIError
from sqlalchemy.orm import DeclarativeBase, Mapped, Session, mapped_column

engine = create_engine(os.environ["DATABASE_URL"], isolation_level="SERIALIZABLE")


class Base(DeclarativeBase):
    pass


class Doctor(Base):
    __tablename__ = "doctors"
    id: Mapped[int] = mapped_column(primary_key=True)
    on_call: Mapped[bool]


def on_call(session):
    return session.scalar(select(func.count()).where(Doctor.on_call))


def leave(key, between=lambda: None):
    for attempt in range(5):
        try:
            with Session(engine) as session:
                if on_call(session) < 2:
                    return False, attempt
                if attempt == 0:
                    between()
                session.get(Doctor, key).on_call = False
                session.commit()
                return True, attempt
        except DBAPIError as error:
            if getattr(error.orig, "sqlstate", None) or error.orig.pgcode:
                continue
            raise
