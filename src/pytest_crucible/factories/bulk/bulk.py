"""Large data: instances that a factory builds, copied into their table.

Instances are built as usual, so that ``__init__`` and validators run; but no session keeps them, no event of the mapper
fires for them, and the keys that the database generates are not read back.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import suppress
from typing import Any

from sqlalchemy import Column, Connection, insert, inspect
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Mapper, RelationshipProperty, Session

from ...errors import UsageError
from ..polyfactory.batches import batching
from ..polyfactory.key_columns import declares, is_counted
from ..polyfactory.storing import commits, explain, turn
from ..scope import current
from .copying import CopyTarget, can_copy, copy

AT_ONCE = 5000

Row = dict[Column[Any], Any]


async def bulk_create(factory: Any, size: int, /, **values: Any) -> int:
    """Make *size* rows by *factory* and store them with COPY, over the session of ``create_batch_async``.

    Collections (``posts`` of a user) are not drawn. A parent that a row requires is drawn, one for each row, unless it
    is given. Where COPY cannot be used (joined-table inheritance, row-level security, a driver without it), rows are
    inserted many at a time.

    Args:
        factory: A ``SQLAlchemyFactory``.
        size: The number of rows.
        values: Values that are the same in each row, as for ``create_batch_async``.

    Returns:
        The number of rows.

    Raises:
        UsageError: Outside of tests and fixtures, or if the factory is no ``SQLAlchemyFactory``.
    """
    session, close = _session(factory, "__async_session__")
    try:
        async with turn(session):
            await session.run_sync(fill, factory, size, values)
    finally:
        if close:
            await session.close()
    return size


def bulk_create_sync(factory: Any, size: int, /, **values: Any) -> int:
    """Do the same as `bulk_create`, over the session of ``create_batch_sync``."""
    session, close = _session(factory, "__session__")
    try:
        fill(session, factory, size, values)
    finally:
        if close:
            session.close()
    return size


def _session(factory: Any, name: str) -> tuple[Any, bool]:
    """Return the session, and whether it was made for this call."""
    own = getattr(factory, name, factory)
    if own is factory:
        raise UsageError(
            f"{factory.__name__} does not make rows of a table.",
            do="Give bulk_create a subclass of SQLAlchemyFactory.",
        )
    if own is None:
        return (current().asynchronous if name == "__async_session__" else current().synchronous)(), False
    return (own(), True) if callable(own) else (own, False)


def fill(session: Session, factory: Any, size: int, values: Mapping[str, Any]) -> None:
    """Draw and store *size* rows, some thousand at a time."""
    with batching(factory, frozenset(_collections(factory))):
        for first in range(0, size, AT_ONCE):
            objects = [factory.build(**values) for _ in range(min(AT_ONCE, size - first))]
            try:
                _store(session, objects)
            except IntegrityError as error:
                explain(objects, error)
                raise
    if commits(factory):
        session.commit()


def _collections(factory: Any) -> Iterator[str]:
    """Yield the relationships that are not drawn: all but those to a parent and those that the factory declares."""
    mapper: Mapper[Any] = inspect(factory.__model__)
    for name, relationship in mapper.relationships.items():
        if relationship.direction.name != "MANYTOONE" and not declares(factory, name):
            yield name


def _store(session: Session, objects: list[Any]) -> None:
    mapper: Mapper[Any] = inspect(objects[0]).mapper
    if len(mapper.tables) > 1 or any(map(_has_children, objects)):
        session.add_all(objects)
        session.flush()
        return
    groups: dict[frozenset[Column[Any]], list[Row]] = defaultdict(list)
    columns = _Columns(mapper)
    for instance, keys in zip(objects, _store_parents(session, objects, mapper), strict=True):
        row = columns.of(instance) | keys
        groups[frozenset(row)].append(row)
    for present, rows in groups.items():
        _insert(session.connection(), sorted(present, key=lambda instance: instance.name), rows)


def _has_children(instance: Any) -> bool:
    state = inspect(instance)
    relationships = state.mapper.relationships.items()
    return any(rel.direction.name != "MANYTOONE" and state.dict.get(name) for name, rel in relationships)


def _store_parents(session: Session, objects: list[Any], mapper: Mapper[Any]) -> list[Row]:
    """Store the parents of *objects*, and return the foreign keys."""
    relationships = [rel for rel in mapper.relationships if rel.direction.name == "MANYTOONE" and not rel.viewonly]
    parents: list[list[tuple[RelationshipProperty[Any], Any]]] = []
    for instance in objects:
        attributes = vars(instance)
        parents.append([(rel, attributes[rel.key]) for rel in relationships if attributes.get(rel.key) is not None])
        for rel, _ in parents[-1]:
            setattr(instance, rel.key, None)  # otherwise the parent would add its child to the session
    session.add_all({id(parent): parent for own in parents for _, parent in own}.values())
    session.flush()
    return [{key: value for rel, parent in own for key, value in _keys(rel, parent)} for own in parents]


def _keys(rel: RelationshipProperty[Any], parent: Any) -> Iterator[tuple[Any, Any]]:
    for local, remote in rel.local_remote_pairs or ():
        yield local, getattr(parent, rel.mapper.get_property_by_column(remote).key)


class _Columns:
    """The columns that a session would INSERT for an object, without a None where a default applies."""

    def __init__(self, mapper: Mapper[Any]) -> None:
        pairs = [(attribute.key, column) for attribute in mapper.column_attrs for column in attribute.columns]
        self._pairs = [(name, column) for name, column in pairs if isinstance(column, Column)]
        self._nulls = {column for _, column in self._pairs if column.type.should_evaluate_none}
        self._defaults = {column: default for _, column in self._pairs if (default := _default(column, mapper))}

    def of(self, instance: Any) -> Row:
        attributes, row = vars(instance), {}
        for name, column in self._pairs:
            value = attributes.get(name)
            if value is not None or (column in self._nulls and name in attributes):
                row[column] = value
            elif default := self._defaults.get(column):
                row[column] = default()
        return row


def _default(column: Column[Any], mapper: Mapper[Any]) -> Callable[[], Any] | None:
    """Return a function that makes the missing value; None if PostgreSQL or SQLAlchemy's INSERT has to provide it."""
    if column is mapper.version_id_col and callable(generate := mapper.version_id_generator):
        return lambda: generate(None)
    if column.default is not None:
        argument: Any = getattr(column.default, "arg", None)
        if column.default.is_scalar:
            return lambda: argument
        # SQLAlchemy wraps a function that takes no context.
        return (lambda: argument(None)) if column.default.is_callable and hasattr(argument, "__wrapped__") else None
    generated = column.server_default is not None or is_counted(column)
    return None if generated else lambda: None


def _insert(connection: Connection, columns: Sequence[Column[Any]], rows: list[Row]) -> None:
    """Copy *rows*; insert them if COPY is impossible or fails, since SQLAlchemy's error says more."""
    table = columns[0].table
    target = CopyTarget(connection, table, columns)
    computed = any(column.default is not None for column in table.columns if column not in set(columns))
    if can_copy(target) and not computed:
        with suppress(Exception), connection.begin_nested():
            copy(target, ([row[column] for column in columns] for row in rows))
            return
    connection.execute(insert(table), [{column.key: row[column] for column in columns} for row in rows])
