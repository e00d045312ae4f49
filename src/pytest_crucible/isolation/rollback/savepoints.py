"""The stack of savepoints on the one connection, and the errors for sessions that interleave (pure).

Releasing a savepoint destroys those above it; rolling back to one undoes everything written since, including what
another session has "committed" meanwhile. Both are right while sessions are nested properly, and both are errors here
if they are not: in production each session has a connection of its own.
"""

from __future__ import annotations

import weakref
from contextvars import ContextVar
from dataclasses import dataclass, field

from ...errors import IsolationError

RESET = 'Write @pytest.mark.crucible(isolation="reset") on this test: there, each session has a connection of its own.'


@dataclass(eq=False)
class Participant:
    """One session on the connection.

    Attributes:
        location: The line at which its current transaction began.
        session: A weak reference to the session.
    """

    location: str
    session: weakref.ref[object]

    def __str__(self) -> str:
        return f"the one that began at {self.location}"


@dataclass(eq=False)
class Savepoint:
    """One savepoint.

    Attributes:
        name: Its name in SQL.
        opener: The task or thread that made it.
        who: The session that it belongs to; None for one that code made by itself on the connection.
        root: Whether releasing it is a commit of the session.
        writers: The sessions that have written since, also within savepoints that were released.
        wrote: Whether a commit has anything to check.
    """

    name: str
    opener: object = None
    who: Participant | None = None
    root: bool = False
    writers: set[Participant] = field(default_factory=set)
    wrote: bool = False

    def is_dropped(self) -> bool:
        """Return whether its session was collected without a close."""
        return self.who is not None and self.who.session() is None


# The session whose statement runs: per task, else two sessions on one connection would be confused.
CURRENT: ContextVar[Participant | None] = ContextVar("crucible_session", default=None)


class Savepoints:
    """The stack of one connection."""

    def __init__(self) -> None:
        self._stack: list[Savepoint] = []
        self._participants: weakref.WeakKeyDictionary[object, Participant] = weakref.WeakKeyDictionary()

    def opened(self, name: str, opener: object) -> None:
        """Note that the task or thread *opener* is about to make the savepoint *name*."""
        self._stack.append(Savepoint(name, opener))

    def began(self, session: object, location: str, opener: object, *, root: bool) -> Participant:
        """Note that the savepoint that *opener* made last is the transaction of *session*, or nested in it."""
        who = self._participants.get(session)
        if who is None:
            who = self._participants[session] = Participant(location, weakref.ref(session))
        if root:
            who.location = location
        # Not simply the last one: several tasks may wait for their savepoints.
        for savepoint in reversed(self._stack):
            if savepoint.opener is opener:
                savepoint.who, savepoint.root, savepoint.opener = who, root, None
                break
        return who

    def who(self, session: object) -> Participant | None:
        """Return the entry for *session*, or None."""
        return self._participants.get(session)

    def wrote(self, who: Participant | None) -> None:
        """Note that *who* wrote rows; None if a statement only set modes."""
        for savepoint in self._stack[-1:]:
            savepoint.wrote = True
            if who is not None:
                savepoint.writers.add(who)

    def is_dropped_above(self, name: str) -> bool:
        """Return whether the savepoint on top, above *name*, was dropped: production rolls its connection back."""
        index = self._index(name)
        return index is not None and index < len(self._stack) - 1 and self._stack[-1].is_dropped()

    def releasing(self, name: str) -> Savepoint | None:
        """Note that a savepoint is about to be released, and return it: a commit, if it is a session's root.

        Raises:
            IsolationError: If that would destroy the savepoint of another session.
        """
        index = self._index(name)
        if index is None:
            return None
        own = self._stack[index]
        for other in self._foreign(index):
            raise _commit_below(own, other)
        below = self._stack[index - 1] if index else None
        if below is not None:
            below.writers |= own.writers
            below.wrote |= own.wrote
        del self._stack[index:]
        return own

    def rolling_back(self, name: str) -> None:
        """Note that a savepoint is about to be rolled back to.

        Raises:
            IsolationError: If that would destroy another session's savepoint, or undo its rows.
        """
        index = self._index(name)
        if index is None:
            return
        own = self._stack[index]
        for other in self._foreign(index):
            raise _rollback_below(own, other)
        lost = {who for above in self._stack[index:] for who in above.writers} - {own.who}
        if lost and own.who is not None:
            raise _rollback_over(own.who, lost.pop())
        del self._stack[index:]

    def _index(self, name: str) -> int | None:
        return next((i for i, savepoint in enumerate(self._stack) if savepoint.name == name), None)

    def _foreign(self, index: int) -> list[Savepoint]:
        """Return the savepoints above that belong to another session."""
        own = self._stack[index].who
        return [above for above in self._stack[index + 1 :] if own and above.who and above.who is not own]


def _commit_below(own: Savepoint, other: Savepoint) -> IsolationError:
    return IsolationError(
        "A session commits while another one has its transaction open on the same connection.\n"
        f"  commits: {own.who}\n"
        f"  is open: {other.who}",
        why="In rollback isolation all sessions of a test share one connection, and a commit is a RELEASE SAVEPOINT:"
        " it would destroy the other session's savepoint, which lies above.",
        do=RESET,
    )


def _rollback_below(own: Savepoint, other: Savepoint) -> IsolationError:
    return IsolationError(
        "A session is rolled back or closed while another one has its transaction open on the same connection.\n"
        f"  rolls back: {own.who}\n"
        f"  is open:    {other.who}",
        why="In rollback isolation all sessions of a test share one connection, and a rollback is a ROLLBACK TO"
        " SAVEPOINT: it would undo the work of the other session, whose savepoint lies above.",
        do=RESET,
    )


def _rollback_over(own: Participant, other: Participant) -> IsolationError:
    return IsolationError(
        "A session is rolled back or closed that began before another one wrote on the same connection.\n"
        f"  rolls back: {own}\n"
        f"  wrote:      {other}",
        why="In rollback isolation all sessions of a test share one connection. Rolling back to the first session's"
        " savepoint would undo the other's writes since then, even those that it has committed.",
        do=RESET,
    )
