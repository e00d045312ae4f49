"""Origins, which applications ask for, and the targets that they get instead."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from itertools import count
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from ..server.address import Address


class Origin(NamedTuple):
    """The driver, role and database that the application asks for.

    Attributes:
        driver: ``asyncpg``, ``psycopg`` or ``psycopg2``.
        user: The role, if arguments or environment name one.
        database: The database, if arguments or environment name one.
    """

    driver: str
    user: str | None
    database: str | None


class Target(NamedTuple):
    """The address that an engine connects to, and the generation of its database (a fresh clone has a new one)."""

    address: Address
    generation: int


Refuse = Callable[[Origin], None]


class Lead(NamedTuple):
    """A temporary target for every origin.

    Attributes:
        target: The target.
        refuse: Raises an error for an origin that may not be led there.
        tests_only: Whether a lifespan's tasks, and fixtures of wider scopes, keep their targets.
    """

    target: Target
    refuse: Refuse
    tests_only: bool


def refuse_nothing(_: Origin) -> None:
    """Refuse nothing."""


class Targets:
    """The current target for each origin: that of the innermost lead, or what *target* returns."""

    def __init__(self, target: Callable[[Origin], Target]) -> None:
        self._target = target
        self._leads: list[Lead] = []
        # The first call builds the database, and other threads wait for it. Re-entrant, since the builder's own
        # engines may connect.
        self._lock = threading.RLock()
        self._generations = count(-1, -1)

    def of(self, origin: Origin, owner: str | None = None) -> Target:
        """Return the target of *origin* now, for code of *owner*: a wide fixture, a lifespan, or None."""
        lead = self._lead(owner)
        if lead is not None:
            lead.refuse(origin)
            return lead.target
        with self._lock:
            return self._target(origin)

    def kept(self, owner: str | None = None) -> AbstractContextManager[object]:
        """Keep other threads from new targets in the block, where *owner* has no lead; they wait for its end."""
        return self._lock if self._lead(owner) is None else nullcontext()

    def _lead(self, owner: str | None) -> Lead | None:
        # Leads come before the lock: a builder may connect from another thread while the lock is held for it.
        return next((lead for lead in reversed(self._leads) if owner is None or not lead.tests_only), None)

    def unlock(self) -> None:
        """Replace the lock, in a forked child, which does not have the thread that may hold it."""
        self._lock = threading.RLock()

    @contextmanager
    def lead_to(
        self, address: Address, refuse: Refuse = refuse_nothing, *, tests_only: bool = False
    ) -> Iterator[Target]:
        """Lead every origin to *address* in the block, as a generation of its own (a negative number).

        Args:
            address: The address.
            refuse: Raises an error for an origin that may not be led there.
            tests_only: Leave the targets of a lifespan's tasks and of fixtures of wider scopes as they are.
        """
        lead = Lead(Target(address, next(self._generations)), refuse, tests_only)
        self._leads = [*self._leads, lead]
        try:
            yield lead.target
        finally:
            self._leads = [entry for entry in self._leads if entry is not lead]
