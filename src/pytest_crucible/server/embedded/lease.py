"""The lease of the embedded PostgreSQL server, of which each project and user has one for all processes.

The server lives as long as a process holds the users' lock; its supervisor (`supervisor.embedded`) then ends it.
"""

from __future__ import annotations

import socket
from contextlib import suppress
from pathlib import Path

from ..address import Address
from ..folders import Folders, folders, free, nests
from ..share import Share
from ..supervisor import cleanup, images, nest
from . import binaries, launcher
from . import errors as start_errors
from .binaries import Installation
from .start import start


class EmbeddedLease:
    """A share in the project's embedded server; see :class:`pytest_crucible.server.Lease`."""

    kind = "embedded"
    owned = True

    def __init__(self, share: Share, nest_path: str, version: str) -> None:
        self.nest = nest_path
        self.admin = Address(f"{nest_path}/s", 5432, launcher.SUPERUSER, "postgres")
        self.note = f"embedded PostgreSQL {version}"
        self.notes = share.where.notes
        self._share = share

    def room(self) -> int:
        """Return the number of bytes that are free where the server's data is."""
        return free(Path(self.nest))

    def keep_image(self) -> None:
        """Have the server's data outlive it."""
        with suppress(FileNotFoundError):  # the server died: there is nothing to keep
            Path(self.nest, "keep").touch()

    def release(self) -> None:
        """Release the share; the server ends with the last one, or some time after it."""
        self._share.leave(self.nest)


def lease(root: Path, cache: Path | None, linger: int = 0) -> EmbeddedLease:
    """Return a share in the server of the project at *root*, which is started if necessary."""
    installation = binaries.find()
    where = folders(root, cache, installation.identity)
    share = Share(where, linger=linger)
    running = share.join(lambda: _running(where), lambda lock: _start(where, installation, lock))
    where.note_unsaved()
    if not running:
        share.release()
        raise start_errors.explain("died", "", cleanup.read(str(where.last_log)))
    return EmbeddedLease(share, *running)


def _running(where: Folders) -> tuple[str, str] | None:
    """Return the nest and the version of the running server, if there is one."""
    lines = cleanup.read(str(where.ready)).splitlines()
    if len(lines) == 2 and nest.owned(lines[0]) and _answers(f"{lines[0]}/s/.s.PGSQL.5432"):
        return lines[0], lines[1]
    return None


def _answers(path: str) -> bool:
    with socket.socket(socket.AF_UNIX) as probe:
        try:
            probe.connect(path)
        except OSError:
            return False
    return True


def _start(where: Folders, installation: Installation, lock: int) -> None:
    for parent in nests():
        nest.sweep(parent)
    images.clear(str(where.images))
    start(where, installation, lock)
