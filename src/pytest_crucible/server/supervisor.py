"""The supervisor: a process of its own that owns one PostgreSQL server.

It makes the nest, starts ``postgres`` in it, says so, and then blocks on the users' lock. Every user of the server
holds that lock shared, and the kernel lets go of it for whoever dies, however it dies. So the moment in which the
supervisor gets the lock for itself is the moment in which nobody uses the server any more.

============================  ======================================================================================
who is killed                 what happens
============================  ======================================================================================
the last users                the supervisor gets the users' lock, ends the server, removes the nest
postgres                      the supervisor sees its child die, ends what it left behind, removes the nest
the supervisor                the kernel ends postgres (Linux); a user sweeps the nest when it leaves, or the next
                              start does, which on macOS also ends postgres
the client that starts it     the supervisor holds the start lock as well, and goes on until it finds no users
============================  ======================================================================================

It starts while somebody waits: it imports nothing that costs a millisecond, and not the package around it.
"""

from __future__ import annotations

import errno
import fcntl
import marshal
import os
import signal
import sys
import time

from pytest_crucible.server import identity, images, nest, overlay

READY_SECONDS = 60.0
STOP_SECONDS = 30.0
WAKING = (signal.SIGCHLD, signal.SIGTERM, signal.SIGINT)


class Failed(Exception):
    """The server did not start: a word for what happened, and the details."""


class Woken(Exception):
    """A signal arrived while waiting for the last user."""


def main() -> None:
    """Run a server as the order on stdin says."""
    order = marshal.loads(sys.stdin.buffer.read())
    if os.fork():  # the user's process must not become our parent: it would see SIGCHLD, and us as a zombie
        os._exit(0)
    os.chdir("/")
    os.umask(0o022)
    for descriptor in (order["start_lock"], order["report"]):
        os.set_inheritable(descriptor, False)
    signal.pthread_sigmask(signal.SIG_BLOCK, WAKING)
    Supervisor(order).run()


class Supervisor:
    """One server, from its order to its end."""

    def __init__(self, order: dict) -> None:  # type: ignore[type-arg]  # plain data, as it came through the pipe
        self.order = order
        self.identity: identity.Identity = tuple(order["identity"])
        self.nest = nest.Nest(order["parent"], order["key"], mode=0o711 if order["closed"] else 0o700)
        self.pid = 0

    def run(self) -> None:
        """Start, wait for the last user, stop; whatever happens, nothing is left."""
        try:
            self._start()
        except Exception as error:
            self._end_all()
            self._report(*_explain(error), self._log())
        else:
            self._wait_for_last_user()
            self._stop()
        finally:
            self.nest.remove()

    def _start(self) -> None:
        path = self.nest.path
        owner = identity.owner(self.identity)
        os.mkdir(f"{path}/s", 0o700)
        if owner:
            os.chown(f"{path}/s", *owner)
        images.unpack(self.order["image"], f"{path}/data", owner)
        if self.order["bundled"]:
            overlay.write(f"{path}/share", self.order["bundled"], self.order["ours"])
        identity.adopt_orphans()
        self.pid = self._launch([word.replace("{nest}", path) for word in self.order["argv"]])
        self._await_ready()
        self._announce()

    def _launch(self, argv: list[str]) -> int:
        parent = os.getpid()
        pid = os.fork()
        if pid:
            return pid
        log = os.open(f"{self.nest.path}/log", os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
        for descriptor in (1, 2):
            os.dup2(log, descriptor)
        signal.pthread_sigmask(signal.SIG_UNBLOCK, WAKING)
        os.umask(0o077)
        try:
            identity.become(self.identity)
        except identity.Refused:
            os._exit(identity.REFUSED)
        identity.die_with_parent(parent)
        os.execve(argv[0], argv, self.order["environment"])

    def _await_ready(self) -> None:
        deadline = time.monotonic() + READY_SECONDS
        while time.monotonic() < deadline:
            status = self._ended()
            if status is not None:
                refused = os.WIFEXITED(status) and os.WEXITSTATUS(status) == identity.REFUSED
                raise Failed("refused" if refused else "died")
            if _is_ready(f"{self.nest.path}/data/postmaster.pid"):
                return
            time.sleep(0.001)
        raise Failed("slow")

    def _announce(self) -> None:
        """Tell the client that waits, and all that come later, where the server is."""
        ready = self.order["ready"]
        with open(f"{ready}.new", "w") as file:
            file.write(self.nest.path)
        os.replace(f"{ready}.new", ready)
        self._report("ready", self.nest.path, "")
        os.close(self.order["start_lock"])

    def _report(self, word: str, details: str, log: str) -> None:
        try:
            os.write(self.order["report"], marshal.dumps((word, details, log)))
            os.close(self.order["report"])
        except OSError:  # the client died meanwhile
            pass

    def _log(self) -> str:
        try:
            with open(f"{self.nest.path}/log", errors="replace") as file:
                return "".join(file.readlines()[-20:])
        except OSError:
            return ""

    def _wait_for_last_user(self) -> None:
        users = os.open(self.order["users"], os.O_RDWR | os.O_CREAT, 0o600)
        for number in WAKING:
            signal.signal(number, _wake)
        try:
            # Blocked until here, so that a signal that came earlier is not lost.
            signal.pthread_sigmask(signal.SIG_UNBLOCK, WAKING)
            fcntl.flock(users, fcntl.LOCK_EX)
        except Woken:
            pass
        finally:
            for number in WAKING:
                signal.signal(number, signal.SIG_DFL)

    def _stop(self) -> None:
        keep = os.path.exists(f"{self.nest.path}/keep")
        clean = self._end(signal.SIGINT if keep else signal.SIGQUIT, STOP_SECONDS)
        self._end_all()
        if keep and clean:
            image = self.order["save_to"]
            images.pack(f"{self.nest.path}/data", image)
            images.prune(os.path.dirname(image), keep=image)

    def _end(self, number: int, seconds: float) -> bool:
        """Send the signal; whether postgres then ended as it should."""
        deadline = time.monotonic() + seconds
        _send(self.pid, number)
        while time.monotonic() < deadline:
            status = self._ended()
            if status is not None:
                return status == 0
            time.sleep(0.001)
        return False

    def _ended(self) -> int | None:
        if not self.pid:
            return -1
        pid, status = os.waitpid(self.pid, os.WNOHANG)
        if not pid:
            return None
        self.pid = 0
        return status

    def _end_all(self) -> None:
        """End postgres, and the backends that a killed one left behind."""
        if self.pid:
            _send(self.pid, signal.SIGKILL)
        while True:
            try:
                for pid in _children():
                    _send(pid, signal.SIGKILL)
                os.waitpid(-1, 0)
            except ChildProcessError:
                self.pid = 0
                return


def _explain(error: Exception) -> tuple[str, str]:
    if isinstance(error, Failed):
        return str(error), ""
    if isinstance(error, images.BadImage):
        return "damaged", str(error)
    if isinstance(error, OSError) and error.errno in (errno.ENOSPC, errno.EDQUOT):
        return "full", str(error)
    return "failed", f"{type(error).__name__}: {error}"


def _is_ready(pid_file: str) -> bool:
    try:
        with open(pid_file) as file:
            return file.read().rstrip().endswith("ready")
    except OSError:
        return False


def _children() -> list[int]:
    try:
        with open(f"/proc/self/task/{os.getpid()}/children") as file:
            return [int(word) for word in file.read().split()]
    except OSError:
        return []


def _send(pid: int, number: int) -> None:
    try:
        os.kill(pid, number)
    except ProcessLookupError:
        pass


def _wake(number: int, frame: object) -> None:
    raise Woken(number)
