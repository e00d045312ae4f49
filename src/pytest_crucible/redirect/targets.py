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


@dataclass(frozen=True)
class Lead:
    """Where everybody is led for a while.

    Attributes:
        target: Where to.
        refuse: Raises an error for what may not be led there.
        tests_only: Whether a lifespan's tasks, and fixtures of wider scopes, go on where they are.
    """

    target: Target
    refuse: Refuse
    tests_only: bool


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

    def of(self, origin: Origin, owner: str | None = None) -> Target:
        """Where *origin* is led now, asked in a context of *owner*: a wide fixture, a lifespan, or nobody."""
        # Asked before the lock: a builder may connect from another thread while the lock is held for it.
        for lead in reversed(self._leads):
            if owner is None or not lead.tests_only:
                lead.refuse(origin)
                return lead.target
        with self._lock:
            return self._target(origin)

    def unlock(self) -> None:
        """In a forked child: the thread that holds the lock, if any, is not there."""
        self._lock = threading.RLock()

    @contextmanager
    def lead_to(
        self, address: Address, refuse: Refuse = refuse_nobody, *, tests_only: bool = False
    ) -> Iterator[Target]:
        """Lead everything to *address* meanwhile, as a generation of its own (a negative number).

        Args:
            address: Where to.
            refuse: Raises an error for what may not be led there.
            tests_only: Leave a lifespan's tasks and fixtures of wider scopes where they are.
        """
        lead = Lead(Target(address, next(self._generations)), refuse, tests_only)
        self._leads = [*self._leads, lead]
        try:
            yield lead.target
        finally:
            self._leads = [entry for entry in self._leads if entry is not lead]
