"""Partitions and inheritance: a partitioned table with a default partition, one made by a test, and a child table."""

import os

from sqlalchemy import DDL, create_engine, event
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column

engine = create_engine(os.environ["DATABASE_URL"])


class Base(DeclarativeBase):
    pass


class Measure(Base):
    __tablename__ = "measures"
    __table_args__ = {"postgresql_partition_by": "RANGE (year)"}
    year: Mapped[int] = mapped_column(primary_key=True)
    value: Mapped[int]


class City(Base):
    __tablename__ = "cities"
    name: Mapped[str] = mapped_column(primary_key=True)


for statement in (
    "CREATE TABLE measures_old PARTITION OF measures FOR VALUES FROM (0) TO (2000)",
    "CREATE TABLE measures_rest PARTITION OF measures DEFAULT",
):
    event.listen(Measure.__table__, "after_create", DDL(statement))
event.listen(City.__table__, "after_create", DDL("CREATE TABLE capitals (country text) INHERITS (cities)"))


def run(*statements):
    with engine.begin() as connection:
        for statement in statements:
            result = connection.exec_driver_sql(statement)
        return [tuple(row) for row in result] if result.returns_rows else None
