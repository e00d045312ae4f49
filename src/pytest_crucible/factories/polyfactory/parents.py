"""Parents that a row requires, and that nothing else would make."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

from sqlalchemy import inspect
from sqlalchemy.orm import Mapper, RelationshipProperty

from .key_columns import DEFAULT, attributes, keys_of


def parents_to_add(factory: Any, present: Iterable[str]) -> Iterator[tuple[str, Any]]:
    """Yield the required parents of a factory that draws no relationships, and their classes."""
    if factory.__set_relationships__ or factory.__set_foreign_keys__ is not DEFAULT:
        return
    mapper: Mapper[Any] = inspect(factory.__model__)
    keys = keys_of(factory.__model__)
    for name in keys.required:
        if name not in present and name not in keys.refused:
            yield name, mapper.relationships[name].entity.class_


def complete(factory: Any, values: dict[str, Any], fixed: Iterable[str], make: Any) -> None:
    """Give the drawn children the further parents that they need.

    Polyfactory builds no class inside an object of the same class, to avoid endless recursion. A child that refers to
    that class twice (the author and the editor of a post, drawn for a user) would lack one of the two.
    """
    mapper: Mapper[Any] = inspect(factory.__model__)
    for name, relationship in mapper.relationships.items():
        if relationship.direction.name == "ONETOMANY" and name in values and name not in fixed:
            for child in _children(values[name]):
                _complete(child, relationship, make)


def _children(value: Any) -> Iterable[Any]:
    if value is None:
        return ()
    if isinstance(value, dict):
        return value.values()
    return value if isinstance(value, Iterable) else (value,)


def _complete(child: Any, by: RelationshipProperty[Any], make: Any) -> None:
    state = inspect(child)
    filled = set(attributes(state.mapper, by.remote_side))
    keys = keys_of(type(child))
    for name in keys.required:
        missing = all(state.dict.get(key) is None for key in (name, *keys.parents[name]))
        if missing and not keys.parents[name] & filled:
            setattr(child, name, make(state.mapper.relationships[name].entity.class_).build())


def demanded(factory: Any, values: dict[str, Any]) -> dict[str, Any]:
    """Return *values*, with None for the required arguments of a dataclass that were left out."""
    missing = keys_of(factory.__model__).demanded - values.keys()
    return {**values, **dict.fromkeys(sorted(missing))} if missing else values
