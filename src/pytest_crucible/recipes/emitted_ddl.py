"""The DDL that ``create_all`` emits, in an order that is the same in every process.

SQLAlchemy keeps a table's indexes, a column's constraints and the constraints of foreign-key cycles in sets, whose
order follows the addresses of their members. The order of the tables is that in which modules were imported, and does
not matter either. So SQLAlchemy's own statements are sorted. A statement of the project (a ``DDL`` or a construct of
its own, from a listener) keeps its place: a function comes before the trigger that calls it.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any, NamedTuple

import sqlalchemy
from sqlalchemy import MetaData, create_mock_engine
from sqlalchemy.engine import Dialect
from sqlalchemy.schema import DDL, CreateIndex, CreateTable, ExecutableDDLElement

from .fingerprints import of_module_source
from .recipe import URL

EVENTS = ("before_create", "after_create")


class Emitted(NamedTuple):
    """The DDL that ``create_all`` emits.

    Attributes:
        own: SQLAlchemy's statements, sorted.
        others: The project's statements, in their order.
        places: For each of the project's statements, the number of SQLAlchemy's before it.
        listeners: The sources of DDL listeners that are written in Python.
    """

    own: list[str]
    others: list[str]
    places: list[int]
    listeners: Sequence[str] = ()

    def text(self) -> str:
        """Return everything as one text."""
        return "\n\n".join([*self.own, *self.others, *self.listeners])


def emitted(metadata: MetaData) -> Emitted:
    """Return the DDL that ``create_all`` emits for *metadata*."""
    try:
        statements = _recorded(metadata)
    except (AttributeError, NotImplementedError, TypeError, sqlalchemy.exc.SQLAlchemyError):
        # A listener needs a real connection: its source goes into the fingerprint instead.
        statements = _without_listeners(metadata)
    return statements._replace(listeners=_listeners(metadata))


def _recorded(metadata: MetaData) -> Emitted:
    own: list[str] = []
    others: list[str] = []
    places: list[int] = []

    def record(statement: Any, *_: object, **__: object) -> None:
        text = statement if isinstance(statement, str) else str(statement.compile(dialect=engine.dialect))
        if _is_sqlalchemys(statement):
            own.append(text.strip())
        else:
            others.append(text.strip())
            places.append(len(own))

    engine = create_mock_engine(URL, record)
    with _sets_in_order(metadata, engine.dialect):
        metadata.create_all(engine, checkfirst=False)
    return Emitted(sorted(own), others, places)


def _is_sqlalchemys(statement: object) -> bool:
    return (
        isinstance(statement, ExecutableDDLElement)
        and not isinstance(statement, DDL)
        and _is_of_sqlalchemy(type(statement).__module__)
    )


def _is_of_sqlalchemy(module: str | None) -> bool:
    return (module or "").partition(".")[0] == "sqlalchemy"


def _without_listeners(metadata: MetaData) -> Emitted:
    """Return the DDL that a copy emits: listeners stay with the original, unless they propagate."""
    copy = MetaData(schema=metadata.schema, naming_convention=metadata.naming_convention)
    for table in metadata.tables.values():
        table.to_metadata(copy)
    try:
        return _recorded(copy)
    except (AttributeError, NotImplementedError, TypeError, sqlalchemy.exc.SQLAlchemyError):
        return Emitted(sorted(_bare(metadata)), [], [])


def _bare(metadata: MetaData) -> Iterator[str]:
    dialect = create_mock_engine(URL, print).dialect
    with _sets_in_order(metadata, dialect):
        for table in metadata.tables.values():
            yield str(CreateTable(table).compile(dialect=dialect)).strip()
            yield from (str(CreateIndex(index).compile(dialect=dialect)) for index in table.indexes)


def _listeners(metadata: MetaData) -> list[str]:
    """Return the sources of the DDL listeners written in Python, of the metadata and of each table."""
    return sorted(
        of_module_source(listener)
        for target in (metadata, *metadata.tables.values())
        for event in EVENTS
        for listener in getattr(target.dispatch, event)
        if inspect.isroutine(listener) and not _is_of_sqlalchemy(getattr(listener, "__module__", None))
    )


class _InOrder(set[Any]):
    """A set that is iterated in the order of its members' DDL."""

    def __init__(self, members: set[Any], text: Callable[[Any], str]) -> None:
        super().__init__(members)
        self._text = text

    def __iter__(self) -> Iterator[Any]:
        members = list(super().__iter__())
        return iter(sorted(members, key=self._text) if len(members) > 1 else members)


@contextmanager
def _sets_in_order(metadata: MetaData, dialect: Dialect) -> Iterator[None]:
    """Iterate indexes and constraints in order within the block."""
    # A compiler for constraints alone: it needs no statement to compile.
    compiler = dialect.ddl_compiler(dialect, None)  # type: ignore[arg-type]

    def index(member: Any) -> str:
        return str(CreateIndex(member).compile(dialect=dialect))

    def constraint(member: Any) -> str:
        return f"{member.name} {compiler.process(member)}"

    sets = [(table, "indexes", index) for table in metadata.tables.values()]
    sets += [(column, "constraints", constraint) for column in _columns(metadata)]
    before = [(owner, name, getattr(owner, name)) for owner, name, _ in sets]
    for owner, name, text in sets:
        setattr(owner, name, _InOrder(getattr(owner, name), text))
    try:
        yield
    finally:
        for owner, name, members in before:
            setattr(owner, name, members)


def _columns(metadata: MetaData) -> Iterator[Any]:
    return (column for table in metadata.tables.values() for column in table.columns if len(column.constraints) > 1)
