"""What an application asks for, and where it is led instead."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import count
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from ..server.address import Address


@dataclass(frozen=True)
class Origin:
    """What the application asked for.

    Attributes:
        driver: ``asyncpg``, ``psycopg`` or ``psycopg2``.
        user: The role, where arguments or environment name one.
        database: The database, where arguments or environment name one.
    """

    driver: str
    user: str | None
    database: str | None


@dataclass(frozen=True)
class Target:
    """Where it is led: an address, and the generation of the database there (a fresh clone has a new one)."""

    address: Address
    generation: int


class Targets:
    """The current target for each origin: the one given, or the innermost lead."""

    def __init__(self, target: Callable[[Origin], Target]) -> None:
        self._target = target
        self._leads: list[Target] = []
        # The first call builds the database: whoever comes meanwhile waits for it. Re-entrant, since the builder's
        # own engines may connect.
        self._lock = threading.RLock()
        self._generations = count(-1, -1)

    def of(self, origin: Origin) -> Target:
        """Where *origin* is led now."""
        # Asked before the lock: a builder may connect from another thread while the lock is held for it.
        leads = self._leads
        if leads:
            return leads[-1]
        with self._lock:
            return self._target(origin)

    @contextmanager
    def lead_to(self, address: Address) -> Iterator[Target]:
        """Lead everything to *address* meanwhile, as a generation of its own (a negative number)."""
        lead = Target(address, next(self._generations))
        self._leads = [*self._leads, lead]
        try:
            yield lead
        finally:
            self._leads = [target for target in self._leads if target is not lead]
