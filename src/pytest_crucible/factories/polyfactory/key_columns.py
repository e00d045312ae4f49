"""Columns that are left to the database and to relationships, above all keys.

Polyfactory draws a random number for every key. A random primary key sooner or later equals another one, and the
sequence does not know it; a random foreign key refers to no row. So, unless the user says otherwise:

* a primary key that the database or the model generates is left to it, and so are columns that cannot be written:
  computed columns and GENERATED ALWAYS AS IDENTITY;
* a foreign key follows from the parent that its relationship is given, or draws; a nullable one stays NULL;
* columns that SQLAlchemy sets (the discriminator of an inheritance, the version counter) are left to SQLAlchemy.
"""

from __future__ import annotations

import uuid
from collections.abc import Collection, Iterable, Iterator
from contextlib import suppress
from dataclasses import MISSING, dataclass, fields, is_dataclass
from typing import Any
from weakref import WeakKeyDictionary

from sqlalchemy import Column, Integer, SmallInteger, Table, UniqueConstraint, inspect, text
from sqlalchemy.orm import Mapper, MapperProperty
from sqlalchemy.orm.exc import UnmappedColumnError
from sqlalchemy.sql import visitors
from sqlalchemy.types import TypeEngine


@dataclass(frozen=True)
class Keys:
    """The facts about a model that a factory needs; every name is that of an attribute.

    Attributes:
        written: The columns that a factory must not write: computed and always generated ones, discriminator, version.
        primary: The primary keys that are made without a factory.
        foreign: The foreign keys, and for each whether it is nullable.
        parents: The relationships to a parent, each with the foreign keys that it fills in.
        required: The parents that a row cannot exist without.
        ignored: Relationships that are never drawn: they write nothing, or another one fills in the same keys.
        unique: The sets of drawn attributes that must differ from row to row.
        limits: The greatest length of the strings, and the greatest value of the integers.
        nullable: The attributes that may be NULL.
        demanded: The required arguments of a dataclass.
        refused: The attributes that a dataclass does not accept as arguments.
    """

    written: frozenset[str]
    primary: frozenset[str]
    foreign: dict[str, bool]
    parents: dict[str, frozenset[str]]
    required: tuple[str, ...]
    ignored: frozenset[str]
    unique: tuple[tuple[str, ...], ...]
    limits: dict[str, int]
    nullable: frozenset[str]
    demanded: frozenset[str]
    refused: frozenset[str]


_KNOWN: WeakKeyDictionary[Any, Keys] = WeakKeyDictionary()


def keys_of(model: Any) -> Keys:
    """Return the keys of *model*, a mapped class."""
    if model not in _KNOWN:
        _KNOWN[model] = _keys_of(model)
    return _KNOWN[model]


def _keys_of(model: Any) -> Keys:
    mapper: Mapper[Any] = inspect(model)
    columns = {attribute.key: own for attribute in mapper.column_attrs if (own := _columns(attribute))}
    foreign = {name: all(column.nullable for column in own) for name, own in columns.items() if _refers(mapper, own)}
    parents = dict(_parents(mapper, foreign))
    drawn = list(_first_of_each(parents))
    return Keys(
        written=frozenset(name for name, own in columns.items() if _never_written(mapper, own)),
        primary=frozenset(name for name, own in columns.items() if _made(own)),
        foreign=foreign,
        parents=parents,
        required=tuple(name for name in drawn if not all(foreign[key] for key in parents[name])),
        ignored=frozenset(
            rel.key for rel in mapper.relationships if rel.viewonly or (rel.key in parents and rel.key not in drawn)
        ),
        unique=tuple(_unique(mapper, foreign)),
        limits={name: limit for name, own in columns.items() if (limit := _limit(own[0].type))},
        nullable=frozenset(name for name, own in columns.items() if all(column.nullable for column in own)),
        demanded=frozenset(_demanded(model)),
        refused=frozenset(each.name for each in fields(model) if not each.init) if is_dataclass(model) else frozenset(),
    )


def attribute_columns(model: type, name: str) -> list[Column[Any]]:
    """Return the columns that the attribute *name* of *model* is mapped to."""
    return _columns(inspect(model).attrs[name])


def _columns(attribute: MapperProperty[Any]) -> list[Column[Any]]:
    return [column for column in getattr(attribute, "columns", ()) if isinstance(column, Column)]


def _refers(mapper: Mapper[Any], columns: Iterable[Column[Any]]) -> bool:
    """Return whether *columns* refer to another row, and not to the base table of the same row."""
    own = set(mapper.tables)
    return any(
        key.column.table not in own or key.column.table is column.table or not column.primary_key
        for column in columns
        for key in column.foreign_keys
    )


def _parents(mapper: Mapper[Any], foreign: dict[str, bool]) -> Iterator[tuple[str, frozenset[str]]]:
    for relationship in mapper.relationships:
        keys = frozenset(attributes(mapper, relationship.local_columns)) & foreign.keys()
        if relationship.direction.name == "MANYTOONE" and not relationship.viewonly and keys:
            yield relationship.key, keys


def _first_of_each(parents: dict[str, frozenset[str]]) -> Iterator[str]:
    filled: set[str] = set()
    for name, keys in parents.items():
        if keys - filled:
            filled |= keys
            yield name


def _never_written(mapper: Mapper[Any], columns: Iterable[Column[Any]]) -> bool:
    return any(
        column.computed is not None
        or (column.identity is not None and (column.identity.always or not column.primary_key))
        or column is mapper.polymorphic_on
        or column is mapper.version_id_col
        for column in columns
    )


def _made(columns: Iterable[Column[Any]]) -> bool:
    keys = [column for column in columns if column.primary_key]
    return any(is_counted(key) or key.server_default is not None or _by_model(key) for key in keys)


def is_counted(column: Column[Any]) -> bool:
    """Return whether PostgreSQL counts *column* up."""
    return column is getattr(column.table, "autoincrement_column", None)


def _by_model(column: Column[Any]) -> bool:
    """Return whether the model has a default; ``uuid4`` does not count: a factory draws a UUID by the test's seed."""
    default = column.default
    if default is None:
        return False
    argument = getattr(default, "arg", None)  # SQLAlchemy wraps it, so that it takes a context
    return getattr(argument, "__wrapped__", argument) is not uuid.uuid4


def attributes(mapper: Mapper[Any], columns: Iterable[Any]) -> Iterator[str]:
    """Yield the names of the attributes that *columns* are mapped to."""
    for column in columns:
        with suppress(UnmappedColumnError):
            yield mapper.get_property_by_column(column).key


def _unique(mapper: Mapper[Any], foreign: dict[str, bool]) -> Iterator[tuple[str, ...]]:
    known = set()
    for columns in _unique_columns(mapper):
        names = tuple(sorted(name for name in set(attributes(mapper, columns)) if name not in foreign))
        if names and names not in known:
            known.add(names)
            yield names


def _unique_columns(mapper: Mapper[Any]) -> Iterator[list[Any]]:
    yield list(mapper.primary_key)
    for table in mapper.tables:
        if isinstance(table, Table):
            yield from (list(each.columns) for each in table.constraints if isinstance(each, UniqueConstraint))
            for index in table.indexes:
                if index.unique:
                    parts = [part for each in index.expressions for part in visitors.iterate(_clause(each))]
                    yield [part for part in parts if isinstance(part, Column)]


def _clause(expression: Any) -> Any:
    return text(expression) if isinstance(expression, str) else expression


def _limit(kind: TypeEngine[Any]) -> int | None:
    if isinstance(kind, Integer):
        return 2**15 - 1 if isinstance(kind, SmallInteger) else 2**31 - 1
    return getattr(kind, "length", None)


def _demanded(model: type) -> Iterator[str]:
    if is_dataclass(model):
        for attribute in fields(model):
            if attribute.init and attribute.default is MISSING and attribute.default_factory is MISSING:
                yield attribute.name


class _Default:
    """True as a default: the value in Polyfactory's base class, which shows that a factory has not set its own."""

    def __bool__(self) -> bool:
        return True

    def __repr__(self) -> str:
        return "True (Crucible's default)"


DEFAULT = _Default()


def leaves(factory: Any, name: str, arguments: Collection[str]) -> bool:
    """Return whether *factory* draws nothing for the attribute *name* when it is called with the arguments *arguments*.

    An attribute that the factory itself declares is never left out.
    """
    if declares(factory, name):
        return False
    keys = keys_of(factory.__model__)
    if name in keys.primary and name not in keys.written:
        return factory.__set_primary_key__ is DEFAULT
    if name in keys.foreign:
        return factory.__set_foreign_keys__ is DEFAULT
    by_hand = any(key in arguments or declares(factory, key) for key in keys.parents.get(name, ()))
    return by_hand or name in keys.written or name in keys.ignored


def declares(factory: Any, name: str) -> bool:
    """Return whether the user's class declares the attribute *name*."""
    polyfactorys = next(cls for cls in factory.__mro__ if cls.__name__ == "BaseFactory")
    return hasattr(factory, name) and not hasattr(polyfactorys, name)
