"""The footprints of steps, and the rules by which a step has none, since it depends on every other one.

A step has a footprint only if the locks of its transaction show all that it does to others, and all that others do to
it. Commits are the reason why so few rules are enough: what a transaction has written shows to others at its commit,
which has no footprint, so that a snapshot needs no rule of its own.
"""

from __future__ import annotations

import re
from collections.abc import Callable

from ..control import backend_locks
from ..control.backend_locks import BackendLocks, LockObserver
from .actors import Step
from .orders import Footprint

# Statements whose effects no lock shows, and those that ask for the time.
UNSEEN = re.compile(backend_locks.UNSEEN.replace(r"\y", r"\b") + r"|\blisten\b|rollback\s+to", re.IGNORECASE)
CLOCK = re.compile(backend_locks.CLOCK + "|uuidv7", re.IGNORECASE)
# The clock, as if it were a relation that the first statement of each transaction writes.
THE_CLOCK = ("", 0)


def names_unseen_effects(step: Step, backend: BackendLocks) -> bool:
    """Return whether the statement does what no lock shows."""
    return UNSEEN.search(step.sql) is not None


def is_outside(step: Step, backend: BackendLocks) -> bool:
    """Return whether the statement has failed, waits or has ended its transaction: its locks are gone, or to come."""
    return backend.state != "idle in transaction"


def is_serializable(step: Step, backend: BackendLocks) -> bool:
    """Return whether the statement is SERIALIZABLE, or its level is unknown."""
    return step.isolation not in {"read committed", "repeatable read"}


def has_other_locks(step: Step, backend: BackendLocks) -> bool:
    """Return whether the transaction has advisory locks, locks of whole tables or predicate locks."""
    return backend.has_others


# A statement to which one of these applies has no footprint.
RULES: list[Callable[[Step, BackendLocks], bool]] = [
    names_unseen_effects,
    is_outside,
    is_serializable,
    has_other_locks,
]


class Footprints:
    """The footprints of the steps of a race.

    Args:
        observer: Looks at the server's locks.

    Attributes:
        uses_clock: Whether a statement, or the schema, has asked for the time.
    """

    def __init__(self, observer: LockObserver) -> None:
        self.uses_clock = observer.uses_clock
        self._observer = observer
        self._transactions: dict[int, Footprint | None] = {}

    def begin(self) -> None:
        """Forget the transactions of the last order."""
        self._transactions.clear()

    def of(self, step: Step, *, others_wait: bool) -> Footprint | None:
        """Return the footprint of a step that is over; None if it depends on every other one.

        Args:
            step: The step.
            others_wait: Whether the step of another actor waited meanwhile.
        """
        if not self._observer.sees_all:
            return None
        if step.kind != "statement":
            return self._end(self._transactions.pop(step.pid, None), others_wait=others_wait)
        footprint = self._statement(step)
        # A transaction has a footprint if each of its steps has: NOTIFY shows to others at the commit only.
        before = self._transactions.get(step.pid, footprint)
        self._transactions[step.pid] = footprint if before is not None else None
        if footprint is not None and self.uses_clock and (step.is_first or CLOCK.search(step.sql)):
            return Footprint(footprint.reads, footprint.writes | {THE_CLOCK})
        return footprint

    @staticmethod
    def _end(transaction: Footprint | None, *, others_wait: bool) -> Footprint | None:
        """Return the footprint of a commit or rollback: where it has only read, others see nothing of it."""
        if transaction is None or transaction.writes or others_wait:  # it may be what another one waited for
            return None
        return transaction

    def _statement(self, step: Step) -> Footprint | None:
        backend = self._observer.look([step.pid]).get(step.pid)
        if backend is None or any(rule(step, backend) for rule in RULES):
            return None
        own, database = self._observer.own, backend.database
        read, written = (frozenset((database, oid) for oid in oids) for oids in (backend.read, backend.written))
        return Footprint(read - own, written - own)
