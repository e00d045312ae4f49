"""Two engines, a reader that is read only and a writer, and a Session that routes between them."""

import os

from sqlalchemy import Delete, Insert, Update
from sqlalchemy.ext.asyncio import AsyncSession, create_async_engine
from sqlalchemy.orm import DeclarativeBase, Mapped, Session, mapped_column

engine = create_async_engine(os.environ["DATABASE_URL"])
reader = create_async_engine(engine.url, execution_options={"postgresql_readonly": True})


class Base(DeclarativeBase):
    pass


class Page(Base):
    __tablename__ = "pages"
    id: Mapped[int] = mapped_column(primary_key=True)
    title: Mapped[str]


class Routing(Session):
    def get_bind(self, mapper=None, clause=None, **words):
        if self._flushing or isinstance(clause, (Insert, Update, Delete)):
            return engine.sync_engine
        return reader.sync_engine


def session():
    return AsyncSession(sync_session_class=Routing, expire_on_commit=False)
