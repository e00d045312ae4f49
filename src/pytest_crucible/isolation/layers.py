"""Layers: the rows that fixtures of wider scopes commit.

They belong to those fixtures, not to the first test that requests them. Commits during the set-up of a session-,
package-, module- or class-scoped fixture become its layer: a difference to the baseline (rows added, rows removed,
sequences), which is part of the baseline until the fixture is torn down. Layers are no stack: a session fixture that
only the second test requests is set up after a module fixture and outlives it. So each layer can be taken off by
itself, in any order.

Rows committed before any fixture (an application that seeds its tables at import) are a layer that stays.
"""

from __future__ import annotations

from collections.abc import Hashable, Iterable, Iterator
from contextlib import AbstractContextManager, contextmanager
from itertools import count

from ..errors import UsageError
from ..worker.database import Database
from ..worker.worker import IMPORT, Worker
from .database_users import DatabaseUsers


class Layers:
    """The layers on the worker database.

    Args:
        worker: The worker databases.
        users: The users of the databases, which make way before one is copied because a fixture changed its schema.

    Attributes:
        in_test: Whether a test is under way.
        of_test: The layers of the test that is under way: its commits before checkpoints.
    """

    def __init__(self, worker: Worker, users: DatabaseUsers) -> None:
        self.in_test = False
        self.of_test: set[int] = set()
        self._worker = worker
        self._users = users
        self._open: list[int] = []
        self._of: dict[Hashable, int] = {}
        self._parts: dict[int, list[Hashable]] = {}
        self._numbers = count(IMPORT + 1)

    @property
    def are_coming_up(self) -> bool:
        """True while a wide fixture is being set up."""
        return bool(self._open)

    @contextmanager
    def coming_up(self, key: Hashable, name: str) -> Iterator[None]:
        """Attribute commits in the block to the layer of the wide fixture *key*.

        Raises:
            UsageError: If the test has already written: its rows and the fixture's cannot be told apart.
        """
        written = self._settle(name)
        number = self._of.setdefault(key, next(self._numbers))
        self._open.append(number)
        try:
            with self._worker.redirect.owned_by(name):
                yield
        finally:
            self._open.remove(number)
            if self._worker.started and written is None:
                self._capture(number, name)
            self._worker.note_open()
        if written is not None and self._worker.marks() != written:
            raise _too_late(name)

    def part_coming_up(self, key: Hashable, name: str) -> AbstractContextManager[None]:
        """Return a context like `coming_up`, for a separate layer that ends with the fixture being set up now."""
        self._parts.setdefault(self._open[-1], []).append(key)
        return self.coming_up(key, name)

    def gone(self, key: Hashable) -> bool:
        """Take off the layer of *key*, a fixture that was torn down; return whether it was ever set up."""
        number = self._of.get(key)
        if number is None:
            return False
        for part in self._parts.get(number, ()):
            self.gone(part)
        if self._worker.started:
            self._worker.take_off(number)
        # Last: a time-out may come, and then this is done again.
        self._parts.pop(number, None)
        self._of.pop(key, None)
        return True

    def _capture(self, number: int, name: str) -> None:
        for database in self._worker.databases:
            if database.capture(number) is not None:
                continue
            if self.of_test:  # the copy would have the rows of the test for as long as the fixture is up
                database.discard()
                raise _too_late(name)
            self._copy(database, number)

    def _copy(self, database: Database, number: int) -> None:
        """Make a copy of *database* the layer *number*: nothing else can be."""
        self._users.suspend([database])
        database.copy_as_layer(number)

    def new_number(self) -> int:
        """Return the number of a layer that belongs to no fixture."""
        return next(self._numbers)

    def capture_of_test(self, number: int, databases: Iterable[Database]) -> None:
        """Take the commits of the test since the last capture into the layer *number* of each of *databases*."""
        self.of_test.add(number)
        for database in databases:
            if database.capture(number, briefly=True) is None:
                self._copy(database, number)

    def _settle(self, name: str) -> int | None:
        """Attribute the writes before a wide fixture's set-up; return their number if the test made them."""
        marks = self._worker.marks()
        if not marks:
            return None
        if self.in_test and not self._open:
            return marks
        self._capture(self._open[-1] if self._open else IMPORT, name)
        return None


def _too_late(name: str) -> UsageError:
    return UsageError(
        f"The fixture {name!r} of a wider scope has written to the database after the test had.",
        why="Its rows must stay for other tests and the test's must not, and Crucible can no longer tell them apart."
        " This happens with request.getfixturevalue() in the middle of a test.",
        do=f"Request {name!r} as an argument of the test or of its first fixture, so that it is set up first.",
    )
