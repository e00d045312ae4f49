"""The duties of every supervisor: leave the client that started it, report to it, and watch over the users' lock.

A supervisor imports this module: it must stay cheap to import.
"""

from __future__ import annotations

import fcntl
import marshal
import os
import signal
import time

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

WAKING = (signal.SIGCHLD, signal.SIGALRM, signal.SIGTERM, signal.SIGINT)
# A signal in the microsecond before flock blocks does not wake it: a timer wakes it from time to time.
LOOK_SECONDS = 1.0


class Woken(Exception):
    """A signal arrived during the wait for the last user."""


def detach(order: dict[str, Any]) -> None:
    """Leave the client's terminal and folder; keep children from inheriting the descriptors in *order*."""
    os.dup2(os.open(os.devnull, os.O_RDWR), 2)
    os.chdir("/")
    os.umask(0o022)
    for descriptor in (order["start_lock"], order["report"]):
        os.set_inheritable(descriptor, False)
    # Until the supervisor waits: a signal that arrives earlier stays pending and is not lost.
    signal.pthread_sigmask(signal.SIG_BLOCK, WAKING)


def announce(order: dict[str, Any], *lines: str) -> None:
    """Tell the waiting client, and all later ones, the server's address."""
    ready = order["ready"]
    with open(f"{ready}.new", "w") as file:
        file.write("".join(f"{line}\n" for line in lines))
    os.replace(f"{ready}.new", ready)
    report(order, "ready", "", "")
    os.close(order["start_lock"])


def report(order: dict[str, Any], word: str, details: str, log: str) -> None:
    """Send the result to the waiting client."""
    try:
        os.write(order["report"], marshal.dumps((word, details, log)))
        os.close(order["report"])
    except OSError:  # the client died meanwhile
        pass


def outlast_users(order: dict[str, Any], ended: Callable[[], bool]) -> int:
    """Wait for the last user, and for as long as it asks; for the server's end, or a signal to stop.

    Returns:
        The users' lock file.
    """
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
            if (seconds := _seconds_to_linger(users)) <= 0:
                return
            fcntl.flock(users, fcntl.LOCK_UN)
            time.sleep(seconds)  # the timer interrupts it: a user may have come
        except Woken as woken:
            if woken.args[0] not in (signal.SIGCHLD, signal.SIGALRM):
                return
        finally:
            signal.pthread_sigmask(signal.SIG_BLOCK, WAKING)


def _seconds_to_linger(users: int) -> float:
    """Return how long the server is to live on: the last user has written for how many seconds, as it left."""
    seconds = os.pread(users, 32, 0)
    return int(seconds) - (time.time() - os.fstat(users).st_mtime) if seconds.isdigit() else 0


def _wake(number: int, frame: object) -> None:
    raise Woken(number)
