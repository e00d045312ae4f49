"""The seeding of everything that factories draw from, and the restoration of its state."""

from __future__ import annotations

import copy
import hashlib
import random
from collections.abc import Iterator
from random import Random
from typing import Any

from ..project.patches import Patches

State = list[tuple[Any, Any]]


def number(seed: object, scope: str) -> int:
    """Return a number that depends only on *seed* and *scope*, not on the machine or ``PYTHONHASHSEED``."""
    return int.from_bytes(hashlib.sha256(f"{seed}\0{scope}".encode()).digest()[:8], "big")


class Sources:
    """All sources of randomness: Polyfactory's, Faker's, and Python's own.

    Each is seeded in place and never replaced: ``Use(UserFactory.__random__.choice, …)`` keeps the object that existed
    when the class was made.

    Args:
        base: Polyfactory's ``BaseFactory``.
        patches: The record of the sources that factories get for themselves.
        python: True to seed the module ``random`` too.
    """

    def __init__(self, base: Any, patches: Patches, *, python: bool) -> None:
        self.base = base
        self.fixed: dict[Any, Any] = {}
        self._patches = patches
        self._python = python

    def seed(self, value: int) -> None:
        """Seed all sources with *value*, and factories that have a seed of their own with that one."""
        if self._python:
            random.seed(value)
        self._shared().seed(value)
        done: set[int] = set()
        fixed = [(factory, self._fixed(factory)) for factory in self._factories()]
        for factory, own in [*((factory, own) for factory, own in fixed if own is not None), *fixed]:
            self._seed(factory, value if own is None else own, own is not None, done)

    def _seed(self, factory: Any, value: Any, own: bool, done: set[int]) -> None:
        if own:
            separate(factory, self._patches)
        for name in ("__random__", "__faker__"):
            source = vars(factory).get(name)
            if source is None or id(source) in done:
                continue
            done.add(id(source))
            if isinstance(source, Random):
                source.seed(value)
            elif hasattr(source, "seed_instance"):
                source.seed_instance(value)
                source.unique.clear()

    def _fixed(self, factory: Any) -> Any:
        seed = self.fixed.get(factory)
        return getattr(factory, "__random_seed__", None) if seed is None else seed

    def _factories(self) -> Iterator[Any]:
        known, waiting = {self.base}, [self.base]
        while waiting:
            factory = waiting.pop(0)
            yield factory
            new = [subclass for subclass in factory.__subclasses__() if subclass not in known]
            known.update(new)
            waiting += new

    def _shared(self) -> Random:
        """Return the source that unseeded Fakers share."""
        from faker import generator

        shared: Random = generator.random
        return shared

    def _randoms(self) -> Iterator[Random]:
        for factory in self._factories():
            own = vars(factory)
            if isinstance(own.get("__random__"), Random):
                yield own["__random__"]
            if "__faker__" in own:
                yield from _of_faker(own["__faker__"])
        yield self._shared()

    def state(self, *, python: bool = True) -> State:
        """Return the state of every source; with *python*, also that of the module ``random``, if it is seeded."""
        states = [(source, source.getstate()) for source in {id(source): source for source in self._randoms()}.values()]
        return [*states, (random, random.getstate())] if python and self._python else states

    def drew(self, value: int) -> bool:
        """Return whether anything was drawn since `seed` was called with *value*."""
        begun = Random(value).getstate()  # noqa: S311 # not for cryptography
        sources = [self.base.__random__, *_of_faker(self.base.__faker__), self._shared()]
        return any(source.getstate() != begun for source in sources if isinstance(source, Random))


def separate(factory: Any, patches: Patches) -> None:
    """Give *factory* sources of its own, so that its seed affects no other factory."""
    if "__random__" not in vars(factory):
        patches.put(factory, "__random__", Random())  # noqa: S311 # not for cryptography
    if "__faker__" not in vars(factory):
        patches.put(factory, "__faker__", copy.deepcopy(factory.__faker__))


def restore(state: State) -> None:
    """Restore every source to *state*."""
    for source, before in state:
        source.setstate(before)


def _of_faker(faker: Any) -> Iterator[Random]:
    for inner in getattr(faker, "factories", ()):
        if hasattr(inner, "factories"):
            yield from _of_faker(inner)
        else:
            yield inner.random
