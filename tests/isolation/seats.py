"""Where the statements of a program run: four connections of four kinds, kept from program to program."""

from __future__ import annotations

import asyncio
import warnings
from collections.abc import Callable
from contextlib import suppress

import psycopg
import sqlalchemy
from crucible_everything import Author, Book
from sqlalchemy import create_engine, select
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine, create_async_engine
from sqlalchemy.orm import Session

from pytest_crucible.server import Address

# One statement runs at a time, so whoever waits for a lock would wait for ever.
PATIENCE = {"lock_timeout": "15ms"}
# Plans decide which rows SERIALIZABLE watches, and in which order rows are met; statistics decide plans.
PLAIN_PLANS = {"enable_indexscan": "off", "enable_bitmapscan": "off", "enable_indexonlyscan": "off"}

# What came of a statement: ("rows", …), ("count", …) or ("error", SQLSTATE).
Result = tuple[str, object]


class Raw:
    """A connection of psycopg's, past SQLAlchemy, in autocommit mode: BEGIN and COMMIT are statements."""

    def __init__(self, address: Callable[[], Address], settings: dict[str, str], **words: object) -> None:
        self._address = address
        self._words = {"options": " ".join(f"-c {name}={value}" for name, value in settings.items())} | words
        self._connection: psycopg.Connection | None = None

    def execute(self, statement: str) -> Result:
        try:
            return self._run(statement)
        except psycopg.Error as error:
            return ("error", error.sqlstate or type(error).__name__)
        except (ValueError, OverflowError) as error:
            return ("error", type(error).__name__)

    def _run(self, statement: str) -> Result:
        connection = self._open()
        command, _, data = statement.partition(";\n")
        cursor = connection.cursor()
        if data:
            with cursor.copy(command) as copy:
                copy.write(data)
        else:
            cursor.execute(command)
        return _result(cursor.fetchall() if cursor.description and not data else None, cursor.rowcount)

    def _open(self) -> psycopg.Connection:
        if self._connection is None or self._connection.closed:
            words = self._address().libpq() | self._words
            self._connection = psycopg.connect(**words, autocommit=True)
        return self._connection

    def end(self) -> None:
        """Roll back, as a careful test does last."""
        self.execute("ROLLBACK")

    def settle(self) -> None:
        """Be ready for the next program, with what a session remembers of its sequences and statements."""
        if self._connection is None or self._connection.closed:
            return
        try:
            cursor = self._connection.execute("ROLLBACK; RESET ALL; CLOSE ALL; SELECT pg_my_temp_schema() <> 0")
            while cursor.nextset():
                pass
            if cursor.fetchone() == (True,):
                self._connection.close()  # its temporary objects live as long as it does
        except psycopg.Error:
            self._connection.close()

    def close(self) -> None:
        if self._connection is not None:
            self._connection.close()


class Orm:
    """A session of SQLAlchemy's over its pool; knows some words besides SQL."""

    def __init__(
        self, settings: dict[str, str], url: str = "postgresql+psycopg://app@nowhere.invalid/app", **words: object
    ) -> None:
        options = " ".join(f"-c {name}={value}" for name, value in settings.items())
        self.engine = create_engine(url, connect_args={"options": options}, **words)
        self.session = Session(self.engine)

    def execute(self, statement: str) -> Result:
        try:
            return self._run(statement)
        except sqlalchemy.exc.DBAPIError as error:
            return ("error", getattr(error.orig, "sqlstate", None) or type(error.orig).__name__)
        except (sqlalchemy.exc.SQLAlchemyError, sqlalchemy.exc.SAWarning, ValueError, OverflowError) as error:
            return ("error", type(error).__name__)

    def _run(self, statement: str) -> Result:
        word, *numbers = statement.split()
        if word.startswith("orm_"):
            return ("count", getattr(self, f"_{word}")(*map(int, numbers)))
        if word in ("BEGIN", "COMMIT", "ROLLBACK") and "TO" not in statement:
            (self.session.commit if word == "COMMIT" else self.session.rollback)()
            if word == "BEGIN" and numbers:
                self.session.connection(execution_options={"isolation_level": "SERIALIZABLE"})
            return ("count", -1)
        done = self.session.connection().exec_driver_sql(statement, execution_options={"no_parameters": True})
        return _result(done.fetchall() if done.returns_rows else None, done.rowcount)

    def _orm_add(self, number: int, books: int) -> int:
        author = Author(name=f"orm {number}", books=[Book(title=f"orm {book}") for book in range(books % 4)])
        self.session.add(author)
        self.session.flush()
        return len(author.books)

    def _orm_change(self, number: int, other: int) -> int:
        author = self.session.get(Author, number)
        if author is None:
            return 0
        author.name += "!"
        for book in author.books:
            book.author_id = other
        self.session.flush()
        return 1

    def _orm_drop(self, number: int, _: int) -> int:
        book = self.session.get(Book, number)
        if book is not None:
            self.session.delete(book)
            self.session.flush()
        return int(book is not None)

    def _orm_nest(self, number: int, keep: int) -> int:
        nested = self.session.begin_nested()
        self.session.add(Author(name=f"nested {number}"))
        self.session.flush()
        (nested.commit if keep % 2 else nested.rollback)()
        return len(self.session.scalars(select(Author.name).where(Author.name.like("nested%"))).all())

    def end(self) -> None:
        with suppress(sqlalchemy.exc.SQLAlchemyError), warnings.catch_warnings():
            warnings.simplefilter("ignore", sqlalchemy.exc.SAWarning)
            self.session.close()

    settle = end

    def close(self) -> None:
        self.end()
        self.engine.dispose()


class Asynchronous:
    """A connection of asyncpg's, kept on an event loop of its own; autocommit."""

    def __init__(self, settings: dict[str, str], query: str = "", database: str = "app", **words: object) -> None:
        self._loop = asyncio.new_event_loop()
        self._engine: AsyncEngine = create_async_engine(
            f"postgresql+asyncpg://app@nowhere.invalid/{database}{query}",
            connect_args={"server_settings": settings},
            isolation_level="AUTOCOMMIT",
            **words,
        )
        self._connection: AsyncConnection | None = None

    def execute(self, statement: str) -> Result:
        return self._loop.run_until_complete(self._execute(statement))

    async def _execute(self, statement: str) -> Result:
        try:
            if self._connection is None:
                self._connection = await self._engine.connect()
            done = await self._connection.exec_driver_sql(statement)
            return _result(done.fetchall() if done.returns_rows else None, done.rowcount)
        except sqlalchemy.exc.DBAPIError as error:
            return ("error", getattr(error.orig, "sqlstate", None) or type(error.orig).__name__)
        except (sqlalchemy.exc.SQLAlchemyError, ValueError, OverflowError) as error:
            return ("error", type(error).__name__)

    def end(self) -> None:
        async def back_to_the_pool() -> None:
            connection, self._connection = self._connection, None
            if connection is not None:
                with suppress(sqlalchemy.exc.SQLAlchemyError):
                    for statement in ("ROLLBACK", "RESET ALL", "CLOSE ALL"):
                        await connection.exec_driver_sql(statement)
                await connection.close()

        self._loop.run_until_complete(back_to_the_pool())

    settle = end

    def close(self) -> None:
        self.end()
        self._loop.run_until_complete(self._engine.dispose())
        self._loop.run_until_complete(self._loop.shutdown_asyncgens())
        self._loop.close()


Seat = Raw | Orm | Asynchronous


def _result(rows: object, count: int) -> Result:
    if rows is None:
        return ("count", count)
    # Without ORDER BY the order of rows means nothing, and after a reset it is another.
    return ("rows", sorted(repr(tuple(row)) for row in rows))  # type: ignore[attr-defined]
