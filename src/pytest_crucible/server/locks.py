"""Advisory file locks with a time limit."""

from __future__ import annotations

import fcntl
import os
import time
from pathlib import Path

from ..errors import ServerError

SECONDS = 120.0


def acquire(path: Path, *, exclusive: bool, seconds: float = SECONDS) -> int:
    """Lock the file *path*; the lock is held until the descriptor is closed.

    Raises:
        ServerError: If another process holds it for *seconds*.
    """
    deadline = time.monotonic() + seconds
    while True:
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT, 0o600)
        try:
            _wait(descriptor, path, fcntl.LOCK_EX if exclusive else fcntl.LOCK_SH, deadline)
        except BaseException:
            os.close(descriptor)
            raise
        if is_current(descriptor, path):
            return descriptor
        os.close(descriptor)  # a supervisor removed the file during the wait


def is_current(descriptor: int, path: str | Path) -> bool:
    """Return whether the open file is still the one called *path*."""
    try:
        return os.path.samestat(os.fstat(descriptor), os.stat(path))
    except FileNotFoundError:
        return False


def _wait(descriptor: int, path: Path, kind: int, deadline: float) -> None:
    pause = 0.001
    while True:
        try:
            return fcntl.flock(descriptor, kind | fcntl.LOCK_NB)
        except BlockingIOError:
            if time.monotonic() > deadline:
                raise _held(path) from None
        time.sleep(pause)
        pause = min(pause * 1.5, 0.02)


def _held(path: Path) -> ServerError:
    return ServerError(
        "The embedded server of this project has been starting or stopping for too long.",
        why=f"Another process holds {path}; it may have been stopped (Ctrl-Z), or the machine is overloaded.",
        do=f"Find the process with: fuser -v {path}; end it, or remove the file and run again.",
    )
