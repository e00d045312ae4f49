"""Session state: settings, roles, LISTEN and the like, which a connection keeps when it goes back to its pool.

Crucible does not ask the backend, which would cost a round trip for each connection and test. It tracks the state by
the statements' texts, and in doubt the state counts as altered.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from enum import Enum
from typing import Any, NamedTuple

# A value that the text of a statement does not show: it differs from every value, and from every other unknown one.
UNKNOWN = "?"


class End(Enum):
    """The end of a transaction, or of the part of it since a savepoint."""

    COMMIT = "commit"
    ROLLBACK = "rollback"
    SAVEPOINT = "rollback to savepoint"


class StateChange(NamedTuple):
    """One change of the session's state.

    Attributes:
        key: For example ``SET timezone`` or ``LISTEN news``; a ``*`` at its end stands for every key that begins so.
        value: None removes the key, so the connection has the value of its start again.
        at_once: Whether it holds even if the transaction is rolled back.
        unless_true: Whether a true parameter of the statement confines the change to the transaction.
    """

    key: str
    value: object = None
    at_once: bool = False
    unless_true: bool = False

    def on(self, state: Mapping[str, object]) -> dict[str, object]:
        """Return *state* after this change."""
        if self.key.endswith("*"):
            return {key: value for key, value in state.items() if not key.startswith(self.key[:-1])}
        if self.value is None:
            return {key: value for key, value in state.items() if key != self.key}
        return {**state, self.key: self.value}


class Lock(Enum):
    """A session-level advisory lock: a function that takes one was called."""

    ADVISORY = "advisory"


Step = StateChange | End | Lock


class SessionState:
    """The session state of one connection.

    It counts as altered if the state of the last commit, or that of the open transaction, is not the baseline. If the
    end of a transaction is not seen, the two differ, and the connection counts as altered.

    Attributes:
        may_lock: Whether it may hold an advisory lock: whether each was released is not tracked.
    """

    def __init__(self) -> None:
        self.may_lock = False
        self._baseline: Mapping[str, object] = {}
        self._committed: Mapping[str, object] = {}
        self._current: Mapping[str, object] = {}

    @property
    def is_altered(self) -> bool:
        """True if the state differs from the baseline, or may differ."""
        return not self._baseline == self._committed == self._current

    def begin(self) -> None:
        """Make the present state the baseline."""
        self._baseline = self._current

    def note(self, steps: Iterable[Step], parameters: Iterable[Any], *, in_transaction: bool) -> None:
        """Track the *steps* of one statement with *parameters*."""
        for step in steps:
            if isinstance(step, Lock):
                self.may_lock = True
            elif isinstance(step, End):
                self.end(step)
            elif not (step.unless_true and _is_true(parameters)):
                self._change(step, lasting=step.at_once or not in_transaction)

    def end(self, how: End) -> None:
        """Track the end of a transaction."""
        if how is End.COMMIT:
            self._committed = self._current
        elif how is End.ROLLBACK:
            self._current = self._committed
        else:
            # It may have undone any change of this transaction.
            changed = {key for key, _ in self._committed.items() ^ self._current.items()}
            self._current = {**self._current, **{key: object() for key in changed}}

    def _change(self, change: StateChange, *, lasting: bool) -> None:
        if change.value == UNKNOWN:
            change = change._replace(value=object())
        self._current = change.on(self._current)
        if lasting:
            self._committed = change.on(self._committed)


def _is_true(parameters: Iterable[Any]) -> bool:
    """Return whether *parameters* include booleans, and none of them is false."""
    truths = {value for value in parameters if isinstance(value, bool)}
    return truths == {True}
