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


Refuse = Callable[[Origin], None]
Lead = tuple[Target, Refuse]


def refuse_nobody(_: Origin) -> None:
    """Nothing is refused."""


class Targets:
    """The current target for each origin: the one given, or the innermost lead."""

    def __init__(self, target: Callable[[Origin], Target]) -> None:
        self._target = target
        self._leads: list[Lead] = []
        # The first call builds the database: whoever comes meanwhile waits for it. Re-entrant, since the builder's
        # own engines may connect.
        self._lock = threading.RLock()
        self._generations = count(-1, -1)

    def of(self, origin: Origin) -> Target:
        """Where *origin* is led now."""
        # Asked before the lock: a builder may connect from another thread while the lock is held for it.
        leads = self._leads
        if leads:
            target, refuse = leads[-1]
            refuse(origin)
            return target
        with self._lock:
            return self._target(origin)

    @contextmanager
    def lead_to(self, address: Address, refuse: Refuse = refuse_nobody) -> Iterator[Target]:
        """Lead everything to *address* meanwhile, as a generation of its own (a negative number).

        Args:
            address: Where to.
            refuse: Raises an error for what may not be led there.
        """
        lead = Target(address, next(self._generations))
        self._leads = [*self._leads, (lead, refuse)]
        try:
            yield lead
        finally:
            self._leads = [entry for entry in self._leads if entry[0] is not lead]
