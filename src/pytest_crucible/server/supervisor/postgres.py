"""The postgres process, as the supervisor handles it.

The supervisor imports this module: it must stay cheap to import.
"""

from __future__ import annotations

import os
import signal
import time

from pytest_crucible.server.supervisor import cleanup, identity, kernel

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import NoReturn

READY_SECONDS = 60.0
STOP_SECONDS = 30.0
POLL = 0.001
# The exit status of a child that could not run the program: postgres never returns it.
NOT_RUN = 126


class PostgresFailed(Exception):
    """The server did not start; the argument is one word for the reason."""


class Postgres:
    """A server process in a nest, with its descendants."""

    def __init__(self, nest: str) -> None:
        self.nest = nest
        self.pid = 0
        self.status: int | None = None

    def start(self, argv: list[str], environment: dict[str, str], as_whom: identity.Identity) -> None:
        """Start the server and wait until it accepts connections.

        Raises:
            PostgresFailed: It does not.
        """
        kernel.adopt_orphans()
        parent = os.getpid()
        self.pid = os.fork()
        if not self.pid:
            self._become(argv, environment, as_whom, parent)
        self._await_ready()

    def ended(self) -> bool:
        """Return whether the server has ended."""
        return not self._reap() or self.status is not None

    def stop(self, number: int) -> bool:
        """Send the server a signal, and return whether it then ended in good order."""
        cleanup.send(self.pid, number)
        deadline = time.monotonic() + STOP_SECONDS
        while not self.ended() and time.monotonic() < deadline:
            time.sleep(POLL)
        return self.status == 0

    def end(self) -> None:
        """End the server if it still runs, and remove the remains of a killed one: backends, shared memory."""
        if self.pid and self.status is None:
            cleanup.send(self.pid, signal.SIGKILL)
        deadline = time.monotonic() + STOP_SECONDS
        while self._reap() and time.monotonic() < deadline:
            for pid in _children():
                cleanup.send(pid, signal.SIGKILL)
            time.sleep(POLL)
        cleanup.free_shared_memory(self._pid_file())

    def log(self) -> str:
        """Return the last lines of the server's log."""
        return "\n".join(cleanup.read(f"{self.nest}/log").splitlines()[-20:])

    def _become(
        self, argv: list[str], environment: dict[str, str], as_whom: identity.Identity, parent: int
    ) -> NoReturn:
        status = NOT_RUN
        try:
            log = os.open(f"{self.nest}/log", os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
            os.dup2(log, 1)
            os.dup2(log, 2)
            os.umask(0o077)
            # The supervisor blocks signals until it waits for them.
            signal.pthread_sigmask(signal.SIG_SETMASK, ())
            identity.become(as_whom)
            kernel.die_with_parent(parent)
            os.execve(argv[0], argv, environment)
        except identity.Refused:
            status = identity.REFUSED
        except OSError as error:
            os.write(2, f"{argv[0]}: {error}\n".encode())
        finally:
            os._exit(status)  # never return into the supervisor's own code

    def _await_ready(self) -> None:
        deadline = time.monotonic() + READY_SECONDS
        while time.monotonic() < deadline:
            if self.ended():
                refused = self.status == identity.REFUSED << 8
                raise PostgresFailed("refused" if refused else "died")
            lines = self._pid_file()
            if len(lines) > 7 and lines[7].startswith("ready"):
                return
            time.sleep(POLL)
        raise PostgresFailed("slow")

    def _pid_file(self) -> list[str]:
        return cleanup.read(f"{self.nest}/data/postmaster.pid").splitlines()

    def _reap(self) -> bool:
        """Reap every child that has ended, and return whether others are left."""
        try:
            while True:
                pid, status = os.waitpid(-1, os.WNOHANG)
                if not pid:
                    return True
                if pid == self.pid:
                    self.status = status
        except ChildProcessError:
            return False


def _children() -> list[int]:
    return [int(word) for word in cleanup.read(f"/proc/self/task/{os.getpid()}/children").split()]
