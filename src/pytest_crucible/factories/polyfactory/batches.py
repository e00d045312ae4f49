"""A cache for the drawing of a batch: everything that is the same for each row is looked up once.

Polyfactory describes the model, and lists all its providers, anew for each row and each field: this takes more than
half of the time.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any


@dataclass
class Batch:
    """The cache of one batch.

    Attributes:
        without: Attributes that are not drawn.
        known: The description of the model, and the providers, after the first look-up.
    """

    without: frozenset[str] = frozenset()
    known: dict[str, Any] = field(default_factory=dict)


BATCHES: dict[type, Batch] = {}


@contextmanager
def batching(factory: type, without: frozenset[str] = frozenset()) -> Iterator[None]:
    """Cache look-ups for *factory* while a batch is drawn inside the block."""
    outer = BATCHES.get(factory)
    BATCHES[factory] = Batch(without)
    try:
        yield
    finally:
        if outer is None:
            BATCHES.pop(factory)
        else:
            BATCHES[factory] = outer


def known(factory: type, what: str, find: Any) -> Any:
    """Return the result of *find* for *factory*; within a batch, a copy of the first result."""
    batch = BATCHES.get(factory)
    if batch is None:
        return find(factory)
    if what not in batch.known:
        batch.known[what] = find(factory)
    return batch.known[what].copy()
