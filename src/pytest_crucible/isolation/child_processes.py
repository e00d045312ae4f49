"""Child processes of the tests, which use this process's databases."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress

from ..errors import RedirectError
from ..redirect import Origin, Target, forks
from ..worker.children.parent import Parent
from ..worker.children.service import Service
from ..worker.database import Database
from ..worker.worker import Worker
from .layers import Layers
from .resets import Resets


class Children(forks.Forking):
    """The child processes, which use the databases of *worker* and own none.

    Args:
        worker: The worker databases.
        layers: The rows of wide fixtures.
        resets: The resets of the databases.
        finish_reset: Waits for a reset that is under way between two tests.

    Attributes:
        collected: Whether the project is imported.
        are_alive: Whether any lived when `touched` was called last, or had ended shortly before.
    """

    def __init__(self, worker: Worker, layers: Layers, resets: Resets, finish_reset: Callable[[], None]) -> None:
        self.collected = self.are_alive = False
        self._worker = worker
        self._layers = layers
        self._resets = resets
        self._finish_reset = finish_reset
        self._service = Service(self)
        self.open = self._service.open
        self.close = self._service.close
        forks.watch(self)

    def touched(self, *, forget: bool = True) -> list[Database]:
        """Return the databases that may have changed since the last call: all of them, while children live."""
        touched = self._worker.touched(forget=forget)
        self.are_alive = self._service.active()
        return self._worker.databases if self.are_alive else touched

    def reset_after_end(self) -> None:
        """Reset the databases if a child has ended since the last test."""
        if self._service.ended():
            self.reset()

    # -- forks -------------------------------------------------------------------------------------------------------

    def before_fork(self) -> None:
        """Make the databases ready that a child may use."""
        worker, redirect = self._worker, self._worker.redirect
        if not self._service.is_open or worker.parent is not None or redirect.preparing or redirect.prohibition.reason:
            return
        if not self.collected:  # the recipe would import modules whose import is under way
            return
        with suppress(Exception):  # the child gets the error when it connects
            self._finish_reset()  # the child cannot: the reset belongs to a test of this process
            worker.make_ready()
            if not self._layers.in_test and not self._layers.are_coming_up:
                self.reset_after_end()  # a plugin runs each test in a child, and one has crashed

    def after_fork_in_child(self) -> None:
        """Leave the databases to the parent."""
        self._worker.leave_to_parent(Parent(self._service.path))

    # -- in the thread of the service --------------------------------------------------------------------------------

    def target(self, origin: Origin) -> Target:
        """Return where an engine of a child leads."""
        if self._worker.redirect.prohibition.reason is not None:
            raise RedirectError(self._worker.redirect.prohibition.reason)
        return self._worker.redirect.target(origin)

    def reset(self) -> None:
        """Reset the databases while no test runs."""
        self._service.active()
        self._resets.between_tests(self._worker.databases)
