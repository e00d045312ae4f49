"""Column types for which Polyfactory makes values that PostgreSQL does not accept."""

from __future__ import annotations

import types
from collections.abc import Callable, Container
from datetime import date, datetime, timezone
from typing import Any, Literal, Union

from sqlalchemy import ARRAY, Column, DateTime, Enum, TypeDecorator
from sqlalchemy.dialects import postgresql
from sqlalchemy.dialects.postgresql import Range

from .dates import EARLIEST, LATEST

Map = dict[Any, Callable[[], Any]]


class Aware(datetime):
    """The annotation for ``timestamp with time zone``: a naive value would be read in the machine's time zone."""


def annotation_of(column: Column[Any], provided: Container[Any]) -> Any:
    """Return the annotation for *column*; None if Polyfactory's own is right."""
    array = isinstance(column.type, ARRAY)
    item: Any = getattr(column.type, "item_type", None) if array else column.type
    annotation = None if type(item) in provided or column.computed is not None else _of_type(plain(item))
    if annotation is None:
        return None
    whole = types.GenericAlias(list, (annotation,)) if array else annotation
    return Union[whole, None] if column.nullable else whole  # noqa: UP007 # a Literal knows no | in Python 3.10


def plain(kind: Any) -> Any:
    """Return the type that a ``TypeDecorator`` decorates, unless the decorator names its ``python_type``."""
    if not isinstance(kind, TypeDecorator):
        return kind
    try:
        is_named = kind.python_type is not object
    except NotImplementedError:
        is_named = False
    return kind if is_named else plain(kind.impl)


def undecorated(column: Column[Any], provided: Container[Any]) -> Column[Any]:
    """Return *column* with the decorated type: Polyfactory would not see its length and precision otherwise."""
    kind = plain(column.type)
    if kind is column.type or type(column.type) in provided or column.computed is not None:
        return column
    return Column(column.name, kind, nullable=column.nullable)


def _of_type(kind: Any) -> Any:
    if isinstance(kind, Enum) and kind.enum_class is None:
        return Literal[tuple(kind.enums)]
    if isinstance(kind, DateTime) and kind.timezone:
        return Aware
    return None


def aware(providers: Map) -> Map:
    """Add a provider for `Aware` that uses the one for ``datetime``, which may be the project's own."""
    naive = providers[datetime]

    def provide() -> Any:
        moment = naive()
        return moment.replace(tzinfo=timezone.utc) if getattr(moment, "tzinfo", True) is None else moment

    providers[Aware] = provide
    return providers


def ranges(faker: Any) -> Map:
    """Return providers of SQLAlchemy's range types."""

    def numbers() -> Any:
        return Range(*sorted((faker.pyint(), faker.pyint())))

    def moments(tz: Any = None) -> Any:
        return Range(*sorted(faker.date_time_between(EARLIEST, LATEST, tz) for _ in range(2)))

    def days() -> Any:
        return Range[date](*sorted(faker.date_between_dates(EARLIEST.date(), LATEST.date()) for _ in range(2)))

    return {
        postgresql.INT4RANGE: numbers,
        postgresql.INT8RANGE: numbers,
        postgresql.NUMRANGE: numbers,
        postgresql.TSRANGE: moments,
        postgresql.TSTZRANGE: lambda: moments(timezone.utc),
        postgresql.DATERANGE: days,
    }
