"""A materialized view that tests refresh, also concurrently, and a plain view."""

import os

from sqlalchemy import DDL, create_engine, event
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column

engine = create_engine(os.environ["DATABASE_URL"])


class Base(DeclarativeBase):
    pass


class Vote(Base):
    __tablename__ = "votes"
    id: Mapped[int] = mapped_column(primary_key=True)
    party: Mapped[str]


event.listen(
    Vote.__table__,
    "after_create",
    DDL("""
    CREATE VIEW now AS SELECT party, count(*) AS votes FROM votes GROUP BY party;
    CREATE MATERIALIZED VIEW standings AS SELECT party, votes FROM now;
    CREATE UNIQUE INDEX ON standings (party);
    """),
)
event.listen(Vote.__table__, "before_drop", DDL("DROP MATERIALIZED VIEW standings; DROP VIEW now;"))


def run(*statements):
    with engine.begin() as connection:
        for statement in statements:
            result = connection.exec_driver_sql(statement)
        return [tuple(row) for row in result] if result.returns_rows else None
