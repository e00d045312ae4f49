"""The run's process, as a child process sees it."""

from __future__ import annotations

import os
import socket
import threading

from pytest_crucible_child import VARIABLE

from ...errors import RedirectError
from ...redirect import Origin, Target, forks
from . import messages as lines


class Parent(forks.Forking):
    """The process that owns the databases which this one, a child of the tests, uses.

    The line to it is open for as long as this process lives: by that the parent knows that its databases may change.

    Args:
        path: The socket where the parent answers.
    """

    def __init__(self, path: str) -> None:
        self.path = path
        self._known: dict[Origin, Target] = {}
        self._line: socket.socket | None = None
        self._lock = threading.Lock()
        forks.watch(self)

    def target(self, origin: Origin) -> Target:
        """Return where *origin* leads in the parent.

        Raises:
            CrucibleError: The parent refuses it, or is gone.
        """
        with self._lock:
            line = self._present()
            known = self._known.get(origin)
            return known or self._ask(line, origin)

    def present(self) -> None:
        """Tell the parent that this process uses its databases.

        Raises:
            RedirectError: The parent is gone.
        """
        with self._lock:
            self._present()

    def reset(self) -> None:
        """Have the parent reset its databases, and wait for it: around a test that a forked child runs."""
        with self._lock:
            line = self._present()
            lines.send(line, {"reset": True})
            if lines.receive(line) is None:
                raise _over()

    def before_fork(self) -> None:
        """Wait for the end of a conversation."""
        self._lock.acquire()

    def after_fork_in_parent(self) -> None:
        """Release the lock."""
        self._lock.release()

    def after_fork_in_child(self) -> None:
        """Open a connection of this process to the parent."""
        self._lock = threading.Lock()
        if self._line is not None:
            self._line.close()
        self._line = None

    def _present(self) -> socket.socket:
        if self._line is None:
            line = socket.socket(socket.AF_UNIX)
            try:
                line.connect(self.path)
            except OSError as error:
                line.close()
                raise _over() from error
            self._line = line
        elif lines.is_gone(self._line):
            raise _over()
        return self._line

    def _ask(self, line: socket.socket, origin: Origin) -> Target:
        try:
            lines.send(line, origin._asdict())
            message = lines.receive(line)
        except OSError:
            message = None
        if message is None:
            raise _over()
        target = lines.target_of(message)
        if target.generation >= 0:  # not where everything leads for a while only
            self._known[origin] = target
        return target


def _over() -> RedirectError:
    return RedirectError(
        f"Process {os.getpid()} was started by tests, and their run is over: its databases are gone.",
        why="It outlived the run of pytest that started it.",
        do=f"End it with the tests. To let it use the application's own database, start it without the environment"
        f" variable {VARIABLE}.",
    )
