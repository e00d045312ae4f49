"""COPY into a table, over each driver."""

from __future__ import annotations

import io
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import date, time, timedelta
from decimal import Decimal
from typing import Any
from uuid import UUID

from sqlalchemy import Column, Connection, Table, TypeDecorator

Row = Sequence[Any]


@dataclass(frozen=True)
class CopyTarget:
    """The table that rows are copied to."""

    connection: Connection
    table: Table
    columns: Sequence[Column[Any]]

    @property
    def schema(self) -> str | None:
        """The schema, after ``schema_translate_map``."""
        return self.connection.schema_for_object(self.table)

    @property
    def statement(self) -> str:
        """The COPY statement."""
        prepare = self.connection.dialect.identifier_preparer
        name = prepare.quote(self.table.name)
        if self.schema:
            name = f"{prepare.quote_schema(self.schema)}.{name}"
        return f"COPY {name} ({', '.join(map(prepare.format_column, self.columns))}) FROM STDIN"


def can_copy(target: CopyTarget) -> bool:
    """Return whether the driver supports COPY, and no column needs an SQL expression around its values."""
    return target.connection.dialect.driver in DRIVERS and not any(map(_wraps, target.columns))


def _wraps(column: Column[Any]) -> bool:
    kind = type(column.type)
    return isinstance(column.type, TypeDecorator) and kind.bind_expression is not TypeDecorator.bind_expression


def copy(target: CopyTarget, rows: Iterable[Row]) -> None:
    """Copy *rows*; bind their values as SQLAlchemy does."""
    bound = list(_bound(target, rows))
    dialect = target.connection.dialect
    driver = target.connection.connection.dbapi_connection
    DRIVERS[dialect.driver](driver, target, bound, dialect.is_async)


def _bound(target: CopyTarget, rows: Iterable[Row]) -> Iterator[Row]:
    dialect = target.connection.dialect
    binds = [column.type.dialect_impl(dialect).bind_processor(dialect) or _same for column in target.columns]
    return (tuple(bind(value) for bind, value in zip(binds, row, strict=True)) for row in rows)


def _same(value: Any) -> Any:
    return value


def _asyncpg(adapted: Any, target: CopyTarget, rows: list[Row], _: bool) -> None:
    columns = [column.name for column in target.columns]

    async def run(driver: Any) -> None:
        await driver.copy_records_to_table(target.table.name, records=rows, columns=columns, schema_name=target.schema)

    adapted.run_async(run)


def _psycopg(adapted: Any, target: CopyTarget, rows: list[Row], asynchronous: bool) -> None:
    if not asynchronous:
        with adapted.cursor() as cursor, cursor.copy(target.statement) as copying:
            for row in rows:
                copying.write_row(row)
        return

    async def run(driver: Any) -> None:
        async with driver.cursor() as cursor, cursor.copy(target.statement) as copying:
            for row in rows:
                await copying.write_row(row)

    adapted.run_async(run)


def _psycopg2(driver: Any, target: CopyTarget, rows: list[Row], _: bool) -> None:
    text = io.StringIO("".join("\t".join(map(_field, row)) + "\n" for row in rows))
    with driver.cursor() as cursor:
        cursor.copy_expert(target.statement, text)


DRIVERS: dict[str, Callable[[Any, CopyTarget, list[Row], bool], None]] = {
    "asyncpg": _asyncpg,
    "psycopg": _psycopg,
    "psycopg2": _psycopg2,
}

ESCAPES = str.maketrans({"\\": r"\\", "\t": r"\t", "\n": r"\n", "\r": r"\r"})


def _field(value: Any) -> str:
    """Return *value* in COPY's text format."""
    return r"\N" if value is None else _text(value).translate(ESCAPES)


def _text(value: Any) -> str:
    value = getattr(value, "adapted", value)  # psycopg2.Binary
    if isinstance(value, (bytes, bytearray, memoryview)):
        return rf"\x{bytes(value).hex()}"
    if isinstance(value, (list, tuple)):
        return "{" + ",".join(map(_element, value)) + "}"
    if isinstance(value, timedelta):
        return f"{value.days} days {value.seconds}.{value.microseconds:06} seconds"
    if isinstance(value, (str, bool, int, float, Decimal, UUID, date, time)):
        return str(value)
    raise TypeError(f"no text for COPY is known for {type(value).__name__}")


def _element(value: Any) -> str:
    if value is None:
        return "NULL"
    if isinstance(value, (list, tuple)):
        return _text(value)
    escaped = _text(value).replace("\\", r"\\").replace('"', r"\"")
    return f'"{escaped}"'
