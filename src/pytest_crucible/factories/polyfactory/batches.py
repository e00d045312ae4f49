"""While a batch is drawn: what is the same for each of its rows is looked up once.

Polyfactory describes the model, and lists all its providers, anew for each row and each field: more than half of what
drawing costs.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any


@dataclass
class Batch:
    """What is known while a batch is drawn.

    Attributes:
        without: Attributes that are not drawn.
        known: The description of the model, and the providers, once somebody has asked.
    """

    without: frozenset[str] = frozenset()
    known: dict[str, Any] = field(default_factory=dict)


BATCHES: dict[type, Batch] = {}


@contextmanager
def batching(factory: type, without: frozenset[str] = frozenset()) -> Iterator[None]:
    """A batch of *factory* is drawn in here."""
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
    """What *find* answers for *factory*; within a batch, what it answered first."""
    batch = BATCHES.get(factory)
    if batch is None:
        return find(factory)
    if what not in batch.known:
        batch.known[what] = find(factory)
    return batch.known[what].copy()
