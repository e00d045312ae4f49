"""The nest: the folder of one running server, which is removed when the server ends.

It holds all files of the server::

    crucible-1000/<key>-<random>/
        owner.lock   held by the supervisor for as long as it lives
        data/        the data directory
        s/           the unix socket
        share/       control files of extensions
        log          PostgreSQL's output on stderr
        keep         exists if the data must outlive the server (Lease.keep_image)

A process that can lock ``owner.lock`` knows that the owner is dead, and may sweep the nest. A server started anew gets
a new nest, so it never meets the remains of the one before.

The supervisor imports this module: it must stay cheap to import.
"""

from __future__ import annotations

import fcntl
import os
import time

from pytest_crucible.server.supervisor import cleanup

STAGE = ".new-"
# A nest is locked within microseconds of its creation; an older stage is debris.
STAGE_SECONDS = 60.0


class Nest:
    """A nest that this process owns.

    Args:
        parent: The folder it lies in.
        key: The project's name in file names.
        open_to_others: Whether PostgreSQL runs as another user, who must be able to pass through.
    """

    def __init__(self, parent: str, key: str, *, open_to_others: bool = False) -> None:
        random = os.urandom(4).hex()
        stage = f"{parent}/{STAGE}{random}"
        self.path = f"{parent}/{key}-{random}"
        os.mkdir(stage, 0o700)
        os.chmod(stage, 0o711 if open_to_others else 0o700)
        self._lock = os.open(f"{stage}/owner.lock", os.O_RDWR | os.O_CREAT, 0o600)
        fcntl.flock(self._lock, fcntl.LOCK_EX)
        # It gets its own name only when it is locked: a sweep in between would take it for debris.
        os.rename(stage, self.path)

    def remove(self) -> None:
        """Remove the nest with its contents."""
        cleanup.remove_folder(self.path, last="owner.lock")
        os.close(self._lock)


def owned(path: str) -> bool:
    """Return whether the owner of the nest *path* is alive."""
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
    """Remove the nests in *parent* whose owners are dead, and end the servers that still run in them."""
    for path in debris(parent):
        cleanup.end_server(path)
        cleanup.remove_folder(path, last="owner.lock")


def debris(parent: str) -> list[str]:
    """Return the nests in *parent* whose owners are dead."""
    try:
        return [entry.path for entry in os.scandir(parent) if _is_debris(entry)]
    except OSError:
        return []


def _is_debris(entry: os.DirEntry[str]) -> bool:
    try:
        age = time.time() - entry.stat(follow_symlinks=False).st_mtime
    except OSError:
        return False
    if entry.name.startswith(STAGE):
        return age > STAGE_SECONDS
    return entry.is_dir(follow_symlinks=False) and "-" in entry.name and not owned(entry.path)
