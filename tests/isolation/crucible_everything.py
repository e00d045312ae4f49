"""The project whose template the isolation tests use: schema.sql, and classes for ORM programs."""

from __future__ import annotations

from pathlib import Path
from typing import Optional

from sqlalchemy import Column, Computed, ForeignKey, Identity, Integer, MetaData, Table, text
from sqlalchemy.orm import DeclarativeBase, Mapped, Session, mapped_column, relationship

from pytest_crucible import reads

metadata = MetaData()
# A recipe wants a table; the others come from schema.sql.
Table("first", metadata, Column("id", Integer, primary_key=True))


@reads("schema.sql")
def load(session: Session) -> None:
    """Build the schema, as its owner."""
    run = session.connection().connection.driver_connection.execute
    run(Path(__file__).with_name("schema.sql").read_text("utf-8"))
    database = session.scalar(text("SELECT quote_ident(current_database())"))
    run(f"GRANT CONNECT ON DATABASE {database} TO reader")
    run(f"ALTER DATABASE {database} SET statement_timeout = 20000")
    run(f'ALTER DATABASE {database} SET search_path = "$user", public')


class Base(DeclarativeBase):
    """Tables of schema.sql."""


class Author(Base):
    """A trigger counts its version up."""

    __tablename__ = "author"
    id: Mapped[int] = mapped_column(primary_key=True)
    name: Mapped[str]
    version: Mapped[int] = mapped_column(server_default="1")
    books: Mapped[list[Book]] = relationship(back_populates="author", passive_deletes=True)


class Book(Base):
    """With an identity and a generated column."""

    __tablename__ = "book"
    id: Mapped[int] = mapped_column(Identity(), primary_key=True)
    author_id: Mapped[Optional[int]] = mapped_column(ForeignKey("author.id"))  # noqa: UP045 - read at run time
    title: Mapped[str]
    shout: Mapped[str] = mapped_column(Computed("upper(title)"))
    author: Mapped[Optional[Author]] = relationship(back_populates="books")  # noqa: UP045
