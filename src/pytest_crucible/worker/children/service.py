"""The service that answers the children of a test process, and knows which of them live."""

from __future__ import annotations

import contextlib
import os
import select
import socket
import threading
from collections.abc import Sequence
from typing import Protocol

from pytest_crucible_child import VARIABLE

from ...redirect import Origin, Target, forks
from ...server.folders import check_socket, own, short
from ...server.supervisor.nest import Nest
from . import messages as lines


class DatabaseOwner(Protocol):
    """The owner of the databases that children use; both methods run in the service's thread."""

    def target(self, origin: Origin) -> Target:
        """Return where an engine of a child leads; the database may be built for it."""

    def reset(self) -> None:
        """Reset the databases, for a forked child that runs a test."""


class Service(forks.Forking):
    """The parent's side: a socket, and a thread that answers there.

    A child opens a line when it first uses a database, and the system closes that when the child ends, however it ends.
    """

    def __init__(self, owner: DatabaseOwner) -> None:
        self._owner = owner
        self._lock = threading.Lock()
        self._lines: set[socket.socket] = set()
        self._ended = False
        self._listener: socket.socket | None = None
        self._wake: tuple[int, int] = (-1, -1)
        self._nest: Nest | None = None
        self._before: str | None = None
        self._thread = forks.Background("crucible-children", self._serve, self._stop_serving)
        forks.watch(self)

    @property
    def is_open(self) -> bool:
        """True if children are served."""
        return self._listener is not None

    @property
    def path(self) -> str:
        """The path of the socket."""
        return f"{self._nest.path if self._nest else ''}/parent"

    def open(self) -> None:
        """Listen, and have every process that is started from now on know where.

        Raises:
            UsageError: The path of the socket would be too long.
            ServerError: There is no folder that only this user can enter.
        """
        parent = own(short())
        check_socket(parent, "children")
        self._nest = Nest(str(parent), "children")
        self._wake = os.pipe()
        self._listener = socket.socket(socket.AF_UNIX)
        self._listener.bind(self.path)
        self._listener.listen(128)
        self._before = os.environ.get(VARIABLE)
        os.environ[VARIABLE] = self.path
        self._thread.start()

    def close(self) -> None:
        """Stop answering: the children that are left get an error."""
        if self._listener is None:
            return
        self._thread.stop()
        self._drop()
        if self._nest is not None:
            self._nest.remove()
        if self._before is None:
            os.environ.pop(VARIABLE, None)
        else:
            os.environ[VARIABLE] = self._before

    def ended(self) -> bool:
        """Return whether a child that used a database has ended since the last call of `active`."""
        if self._listener is None:
            return False
        with self._lock:
            # The thread may not have noticed yet.
            return self._ended or any(map(lines.is_gone, self._lines)) or bool(_ready([self._listener], 0))

    def active(self) -> bool:
        """Return whether a child that uses a database lives, or has ended since the last call."""
        if self._listener is None:
            return False
        with self._lock:
            ended, self._ended = self._ended, False
            # One that has just come is not among the lines yet.
            return bool(ended or self._lines or _ready([self._listener], 0))

    # -- forks -------------------------------------------------------------------------------------------------------

    def before_fork(self) -> None:
        """Take the lock, so that no other thread holds it."""
        self._lock.acquire()

    def after_fork_in_parent(self) -> None:
        """Release the lock."""
        self._lock.release()

    def after_fork_in_child(self) -> None:
        """Close the listener: with one in a child, others would wait for an answer when the parent is gone."""
        self._lock = threading.Lock()
        self._drop()

    def _drop(self) -> None:
        for line in [*self._lines, *filter(None, [self._listener])]:
            line.close()
        for end in self._wake:
            if end >= 0:
                os.close(end)
        self._lines.clear()
        self._listener = None
        self._wake = (-1, -1)

    # -- the thread --------------------------------------------------------------------------------------------------

    def _stop_serving(self) -> None:
        os.write(self._wake[1], b"x")

    def _serve(self) -> None:
        listener, wake = self._listener, self._wake[0]
        if listener is None:  # pragma: no cover - it is open while the thread runs
            return
        while True:
            ready = _ready([wake, listener, *self._lines])
            if wake in ready:
                with contextlib.suppress(OSError):  # closed meanwhile
                    os.read(wake, 1)
                return
            for end in ready:
                if end is listener:
                    self._accept(listener)
                elif isinstance(end, socket.socket):
                    self._talk(end)

    def _accept(self, listener: socket.socket) -> None:
        with self._lock:
            line, _ = listener.accept()
            self._lines.add(line)

    def _talk(self, line: socket.socket) -> None:
        try:
            message = lines.receive(line)
            if message is not None:
                lines.send(line, self._answer(message))
                return
        except (OSError, ValueError):  # it was killed in the midst of a word
            pass
        with self._lock:
            self._ended = True
            self._lines.discard(line)
        line.close()

    def _answer(self, message: lines.Message) -> lines.Message:
        try:
            if "reset" in message:
                self._owner.reset()
                return {}
            return lines.of_target(self._owner.target(Origin(**message)))
        except Exception as error:  # noqa: BLE001 - it belongs to the child
            return lines.refusal(error)


def _ready(ends: Sequence[socket.socket | int], milliseconds: int | None = None) -> list[socket.socket | int]:
    """Return those of *ends* that have something to read; not by select(), which knows 1024 descriptors only."""
    poll = select.poll()
    by_number = {end if isinstance(end, int) else end.fileno(): end for end in ends}
    for number in by_number:
        poll.register(number, select.POLLIN)
    return [by_number[number] for number, _ in poll.poll(milliseconds)]
