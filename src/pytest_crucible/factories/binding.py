"""The binding to Polyfactory: the one module that knows its classes. Only their public hooks are replaced."""

from __future__ import annotations

from collections.abc import Callable
from random import Random
from typing import Any

from .dates import bounded, settled, settled_for_pydantic, uuid1
from .patches import Patches
from .places import PLACES
from .seeds import Sources, separate
from .storing import AsyncStorage, Storage


class PerFactory:
    """A class attribute whose value is made for the class that it is asked of.

    Polyfactory looks for ``__async_persistence__`` where a factory has no ``__async_session__``, or None: so whatever
    session a user assigns wins, and whoever declared ``__async_session__ = None`` gets the test's.
    """

    def __init__(self, make: Callable[[Any], Any]) -> None:
        self._make = make

    def __get__(self, instance: object, owner: Any) -> Any:
        return self._make(owner)


def bind_seeds(base: Any, sources: Sources, patches: Patches) -> None:
    """Let a factory that is seeded by the user seed itself only, and not what all factories share."""

    def seed_random(cls: Any, seed: int) -> None:
        if PLACES and cls is sources.base:
            sources.seed(seed)
            return
        if not PLACES:
            sources.fixed[cls] = seed
        separate(cls, PLACES[-1].patches if PLACES else patches)
        cls.__random__.seed(seed) if isinstance(cls.__random__, Random) else None
        cls.__faker__.seed_instance(seed)

    patches.put(base, "seed_random", classmethod(seed_random))


def bind_dates(base: Any, patches: Patches) -> None:
    """Let no date follow the clock."""
    provider_map, constrained = base.get_provider_map.__func__, base.get_constrained_field_value.__func__

    def get_provider_map(cls: Any) -> Any:
        return settled(provider_map(cls), cls.__faker__)

    def get_constrained_field_value(cls: Any, annotation: Any, field_meta: Any, *arguments: Any, **words: Any) -> Any:
        found = uuid1(annotation, field_meta, cls.__faker__)
        return found or constrained(cls, annotation, bounded(annotation, field_meta), *arguments, **words)

    patches.put(base, "get_provider_map", classmethod(get_provider_map))
    patches.put(base, "get_constrained_field_value", classmethod(get_constrained_field_value))


def bind_pydantic(factory: Any, patches: Patches) -> None:
    """The same for ``ModelFactory``."""
    provider_map = factory.get_provider_map.__func__

    def get_provider_map(cls: Any) -> Any:
        return settled_for_pydantic(provider_map(cls), cls.__faker__)

    patches.put(factory, "get_provider_map", classmethod(get_provider_map))


def bind_sessions(factory: Any, patches: Patches) -> None:
    """Store with the session of the test.

    Args:
        factory: ``SQLAlchemyFactory``.
        patches: Notes what is replaced.
    """
    patches.put(factory, "__sync_persistence__", PerFactory(Storage))
    patches.put(factory, "__async_persistence__", PerFactory(AsyncStorage))
