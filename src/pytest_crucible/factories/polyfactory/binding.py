"""The binding to Polyfactory, the one module that knows its classes. It replaces only their public hooks."""

from __future__ import annotations

from collections.abc import Callable
from random import Random
from typing import Any

from ...project.patches import Patches
from ..scope import SCOPES
from ..seeds import Sources, separate
from . import column_types as types
from . import parents, uniques
from .batches import BATCHES, batching, known
from .dates import bounded, settled, settled_for_pydantic, uuid1
from .key_columns import DEFAULT, leaves
from .storing import AsyncStorage, Storage


class PerFactory:
    """A class attribute whose value is made for the class that it is read from.

    Polyfactory looks for ``__async_persistence__`` if a factory has no ``__async_session__``, or None. So a session
    that the user assigns wins, and a factory with ``__async_session__ = None`` gets the test's session.
    """

    def __init__(self, make: Callable[[Any], Any]) -> None:
        self._make = make

    def __get__(self, instance: object, owner: Any) -> Any:
        return self._make(owner)


def bind_seeds(base: Any, sources: Sources, patches: Patches) -> None:
    """Let a seed that the user sets on a factory apply to this factory only, and not to what all factories share."""

    def seed_random(cls: Any, seed: int) -> None:
        if SCOPES and cls is sources.base:
            sources.seed(seed)
            return
        if not SCOPES:
            sources.fixed[cls] = seed
        separate(cls, SCOPES[-1].patches if SCOPES else patches)
        cls.__random__.seed(seed) if isinstance(cls.__random__, Random) else None
        cls.__faker__.seed_instance(seed)

    patches.put(base, "seed_random", classmethod(seed_random))


def bind_dates(base: Any, patches: Patches) -> None:
    """Draw dates that do not depend on the clock."""
    provider_map, constrained = base.get_provider_map.__func__, base.get_constrained_field_value.__func__

    def get_provider_map(cls: Any) -> Any:
        return settled(provider_map(cls), cls.__faker__)

    def get_constrained_field_value(cls: Any, annotation: Any, field_meta: Any, *arguments: Any, **kwargs: Any) -> Any:
        value = uuid1(annotation, field_meta, cls.__faker__)
        return value or constrained(cls, annotation, bounded(annotation, field_meta), *arguments, **kwargs)

    patches.put(base, "get_provider_map", classmethod(get_provider_map))
    patches.put(base, "get_constrained_field_value", classmethod(get_constrained_field_value))


def bind_pydantic(factory: Any, patches: Patches) -> None:
    """Draw the same dates in ``ModelFactory``."""
    provider_map = factory.get_provider_map.__func__

    def get_provider_map(cls: Any) -> Any:
        return settled_for_pydantic(provider_map(cls), cls.__faker__)

    patches.put(factory, "get_provider_map", classmethod(get_provider_map))


def bind_sessions(factory: Any, patches: Patches) -> None:
    """Store with the session of the test."""
    patches.put(factory, "__sync_persistence__", PerFactory(Storage))
    patches.put(factory, "__async_persistence__", PerFactory(AsyncStorage))


def bind_keys(factory: Any, patches: Patches) -> None:
    """Leave keys to the database and to relationships."""
    # A distinct object marks the default: a value that a factory sets itself is another object.
    patches.put(factory, "__set_primary_key__", DEFAULT)
    patches.put(factory, "__set_foreign_keys__", DEFAULT)
    should_set = factory.should_set_field_value.__func__

    def should_set_field_value(cls: Any, /, field_meta: Any, **kwargs: Any) -> bool:
        if cls in BATCHES and field_meta.name in BATCHES[cls].without:
            return False
        return should_set(cls, field_meta, **kwargs) and not (_persists() and leaves(cls, field_meta.name, kwargs))

    patches.put(factory, "should_set_field_value", classmethod(should_set_field_value))


def bind_rows(factory: Any, patches: Patches) -> None:
    """Draw the parents that a row requires, and no unique value twice."""
    from polyfactory.field_meta import FieldMeta

    model_fields, process = factory.get_model_fields.__func__, factory.process_kwargs.__func__

    def get_model_fields(cls: Any) -> Any:
        fields = known(cls, "fields", model_fields)
        wanted = parents.parents_to_add(cls, {field.name for field in fields}) if _persists() else ()
        return [*fields, *(FieldMeta.from_type(annotation=kind, name=name) for name, kind in wanted)]

    def process_kwargs(cls: Any, /, **kwargs: Any) -> Any:
        context = kwargs.pop("_build_context", None)
        if not _persists():
            return process(cls, _build_context=context, **kwargs)

        def draw(known: dict[str, Any]) -> dict[str, Any]:
            fields: dict[str, Any] = process(cls, _build_context=context, **known)
            return fields

        values = uniques.distinct(cls, draw(kwargs), kwargs, draw)
        parents.complete(cls, values, kwargs, lambda kind: factory.create_factory(kind, __set_relationships__=False))
        return parents.demanded(cls, values)

    patches.put(factory, "get_model_fields", classmethod(get_model_fields))
    patches.put(factory, "process_kwargs", classmethod(process_kwargs))


def bind_batches(factory: Any, patches: Patches) -> None:
    """Describe the model once for each batch."""
    draw = factory.batch.__func__

    def batch(cls: Any, /, size: int, **kwargs: Any) -> Any:
        with batching(cls):
            return draw(cls, size, **kwargs)

    patches.put(factory, "batch", classmethod(batch))


def _persists() -> bool:
    """Return whether the current scope may use a database; if not, objects get keys as Polyfactory draws them."""
    return not SCOPES or SCOPES[-1].persists


def bind_types(factory: Any, patches: Patches) -> None:
    """Draw values that PostgreSQL accepts."""
    of_column, of_types = factory.get_type_from_column.__func__, factory.get_sqlalchemy_types.__func__
    provider_map = factory.get_provider_map.__func__

    def get_type_from_column(cls: Any, column: Any) -> Any:
        provided = of_types(cls)
        annotation = types.annotation_of(column, provided)
        return of_column(cls, types.undecorated(column, provided)) if annotation is None else annotation

    def get_sqlalchemy_types(cls: Any) -> Any:
        return {**of_types(cls), **types.ranges(cls.__faker__)}

    def get_provider_map(cls: Any) -> Any:
        return types.aware(known(cls, "providers", provider_map))

    patches.put(factory, "get_type_from_column", classmethod(get_type_from_column))
    patches.put(factory, "get_sqlalchemy_types", classmethod(get_sqlalchemy_types))
    patches.put(factory, "get_provider_map", classmethod(get_provider_map))
