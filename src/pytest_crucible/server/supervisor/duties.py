"""What every supervisor does: leave the client that started it, report to it, and watch over the users' lock.

A supervisor imports this module: it must stay cheap to import.
"""

from __future__ import annotations

import fcntl
import marshal
import os
import signal

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

WAKING = (signal.SIGCHLD, signal.SIGALRM, signal.SIGTERM, signal.SIGINT)
# A signal that comes in the microsecond before flock blocks does not wake it: so look again at times.
LOOK_SECONDS = 1.0


class Woken(Exception):
    """A signal arrived while waiting for the last user."""


def detach(order: dict[str, Any]) -> None:
    """Let go of the client's terminal and folder; keep the descriptors in *order* to this process."""
    os.dup2(os.open(os.devnull, os.O_RDWR), 2)
    os.chdir("/")
    os.umask(0o022)
    for descriptor in (order["start_lock"], order["report"]):
        os.set_inheritable(descriptor, False)
    # Until there is something to wake up from: a signal that comes early is kept, not lost.
    signal.pthread_sigmask(signal.SIG_BLOCK, WAKING)


def announce(order: dict[str, Any], *lines: str) -> None:
    """Tell the client that waits, and all that come later, where the server is."""
    ready = order["ready"]
    with open(f"{ready}.new", "w") as file:
        file.write("".join(f"{line}\n" for line in lines))
    os.replace(f"{ready}.new", ready)
    report(order, "ready", "", "")
    os.close(order["start_lock"])


def report(order: dict[str, Any], word: str, details: str, log: str) -> None:
    """Tell the client that waits how it went."""
    try:
        os.write(order["report"], marshal.dumps((word, details, log)))
        os.close(order["report"])
    except OSError:  # the client died meanwhile
        pass


def outlast_users(order: dict[str, Any], ended: Callable[[], bool]) -> int:
    """Wait until nobody uses the server, it has *ended*, or somebody asks us to end; returns the users' lock file."""
    users = os.open(order["users"], os.O_RDWR | os.O_CREAT, 0o600)
    try:  # noqa: SIM105 - contextlib costs 2 ms
        _wait(users, ended)
    except Woken:  # two signals at once
        pass
    return users


def _wait(users: int, ended: Callable[[], bool]) -> None:
    for number in WAKING:
        signal.signal(number, _wake)
    signal.setitimer(signal.ITIMER_REAL, LOOK_SECONDS, LOOK_SECONDS)
    while not ended():
        try:
            signal.pthread_sigmask(signal.SIG_UNBLOCK, WAKING)
            fcntl.flock(users, fcntl.LOCK_EX)
            return
        except Woken as woken:
            if woken.args[0] not in (signal.SIGCHLD, signal.SIGALRM):
                return
        finally:
            signal.pthread_sigmask(signal.SIG_BLOCK, WAKING)


def _wake(number: int, frame: object) -> None:
    raise Woken(number)
