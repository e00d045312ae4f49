"""COPY over the driver's own connection, and raw_connection() without a Session."""

import os

import io

from sqlalchemy import create_engine
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column

engine = create_engine(os.environ["DATABASE_URL"])


class Base(DeclarativeBase):
    pass


class Point(Base):
    __tablename__ = "points"
    x: Mapped[int] = mapped_column(primary_key=True)
    y: Mapped[int]


def load(rows):
    text = "".join(f"{x}\t{y}\n" for x, y in rows)
    connection = engine.raw_connection()
    try:
        with connection.cursor() as cursor:
            if engine.driver == "psycopg":
                with cursor.copy("COPY points FROM STDIN") as copy:
                    copy.write(text)
            else:
                cursor.copy_expert("COPY points FROM STDIN", io.StringIO(text))
        connection.commit()
    finally:
        connection.close()


def total():
    connection = engine.raw_connection()
    try:
        cursor = connection.cursor()
        cursor.execute("SELECT count(*), coalesce(sum(y), 0) FROM points")
        return cursor.fetchone()
    finally:
        connection.close()
