"""A nest: the folder of one running server, gone when the server is.

It holds everything that the server leaves on disk::

    crucible-1000/<key>-<random>/
        owner.lock   held by the supervisor for as long as it lives
        data/        the data directory
        s/           the unix socket
        share/       control files of extensions
        log          what PostgreSQL wrote to stderr
        keep         there if the data must outlive the server (:meth:`Lease.keep_image`)

Whoever can lock ``owner.lock`` knows that its owner is dead and may sweep the nest. A server started anew gets a nest
of its own, so it never meets what is left of the one before.

The supervisor imports this module: it must stay cheap to import.
"""

from __future__ import annotations

import fcntl
import os
import signal
import time

STAGE = ".new-"
# Between creating a nest and locking it lie microseconds; what is older than this is debris.
STAGE_SECONDS = 60.0


class Nest:
    """A nest that this process owns."""

    def __init__(self, parent: str, key: str, *, mode: int = 0o700) -> None:
        random = os.urandom(4).hex()
        stage = f"{parent}/{STAGE}{random}"
        self.path = f"{parent}/{key}-{random}"
        os.mkdir(stage, 0o700)
        os.chmod(stage, mode)
        self._lock = os.open(f"{stage}/owner.lock", os.O_RDWR | os.O_CREAT, 0o600)
        fcntl.flock(self._lock, fcntl.LOCK_EX)
        # Nobody sees it under its own name before it is locked: a sweep in between would take it for debris.
        os.rename(stage, self.path)

    def remove(self) -> None:
        """Remove it with all that it holds."""
        remove(self.path)
        os.close(self._lock)


def owned(path: str) -> bool:
    """Whether the owner of the nest *path* is alive."""
    try:
        lock = os.open(f"{path}/owner.lock", os.O_RDWR)
    except OSError:
        return False
    try:
        fcntl.flock(lock, fcntl.LOCK_SH | fcntl.LOCK_NB)
        return False
    except OSError:
        return True
    finally:
        os.close(lock)


def sweep(parent: str) -> None:
    """Remove the nests below *parent* whose owners are dead, and end the servers that still run in them."""
    try:
        entries = list(os.scandir(parent))
    except OSError:
        return
    for entry in entries:
        if _is_debris(entry):
            end_server(entry.path)
            remove(entry.path)


def _is_debris(entry: os.DirEntry[str]) -> bool:
    try:
        young = time.time() - entry.stat(follow_symlinks=False).st_mtime < STAGE_SECONDS
    except OSError:
        return False
    if entry.name.startswith(STAGE):
        return not young
    return entry.is_dir(follow_symlinks=False) and "-" in entry.name and not owned(entry.path)


def end_server(path: str) -> None:
    """End the server that runs in the nest *path*, if one does."""
    lines = _lines(f"{path}/data/postmaster.pid")
    if lines and lines[0].isdigit() and _runs_in(int(lines[0]), path):
        _end(int(lines[0]))


def _end(pid: int) -> None:
    for number, seconds in ((signal.SIGQUIT, 5.0), (signal.SIGKILL, 5.0)):
        deadline = time.monotonic() + seconds
        while time.monotonic() < deadline:
            try:
                os.kill(pid, number if number == signal.SIGQUIT else signal.SIGKILL)
            except OSError:
                return
            time.sleep(0.005)


def _runs_in(pid: int, path: str) -> bool:
    """Whether the process *pid* is the server of this nest: the number may belong to somebody else by now."""
    try:
        with open(f"/proc/{pid}/cmdline", "rb") as file:
            return path.encode() in file.read()
    except OSError:
        return False


def _lines(path: str) -> list[str]:
    try:
        with open(path) as file:
            return file.read().splitlines()
    except OSError:
        return []


def remove(path: str) -> None:
    """Remove the nest *path*; its lock goes last, so that what an interrupted removal leaves is still swept."""
    for folder, folders, files in os.walk(path, topdown=False):
        for name in files:
            if folder != path or name != "owner.lock":
                _attempt(os.unlink, f"{folder}/{name}")
        for name in folders:
            inside = f"{folder}/{name}"
            _attempt(os.unlink if os.path.islink(inside) else os.rmdir, inside)
    _attempt(os.unlink, f"{path}/owner.lock")
    _attempt(os.rmdir, path)


def _attempt(act, path: str) -> None:  # type: ignore[no-untyped-def]
    try:
        act(path)
    except OSError:  # somebody else was faster
        pass
