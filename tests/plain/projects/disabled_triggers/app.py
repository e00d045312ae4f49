"""A module fixture that disables the user's triggers to load rows, and enables them again."""

import os

from sqlalchemy import DDL, create_engine, event
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column

engine = create_engine(os.environ["DATABASE_URL"])


class Base(DeclarativeBase):
    pass


class Item(Base):
    __tablename__ = "items"
    id: Mapped[int] = mapped_column(primary_key=True)
    name: Mapped[str]


class Audit(Base):
    __tablename__ = "audits"
    id: Mapped[int] = mapped_column(primary_key=True)
    name: Mapped[str]


event.listen(
    Base.metadata,
    "after_create",
    DDL("""
    CREATE OR REPLACE FUNCTION audit() RETURNS trigger LANGUAGE plpgsql AS $$
    BEGIN INSERT INTO audits (name) VALUES (NEW.name); RETURN NULL; END $$;
    CREATE OR REPLACE TRIGGER audit AFTER INSERT ON items FOR EACH ROW EXECUTE FUNCTION audit();
    """),
)


def run(*statements):
    with engine.begin() as connection:
        for statement in statements:
            result = connection.exec_driver_sql(statement)
        return result.scalars().all() if result.returns_rows else None
