"""A PostgreSQL server of our own, one for each project and user, shared by all who ask.

The server's lifetime is the time during which somebody holds the users' lock; see supervisor.py for who then ends it.
"""

from __future__ import annotations

import os
import socket
import weakref
from contextlib import suppress
from pathlib import Path

from . import binaries, launcher, locks, nest, remains, start_errors
from .address import Address
from .binaries import Installation
from .folders import Folders, folders, nests
from .start import start


class EmbeddedLease:
    """A share in the project's embedded server; see :class:`pytest_crucible.server.Lease`."""

    kind = "embedded"
    owned = True

    def __init__(self, where: Folders, nest_path: str, version: str, users: int) -> None:
        self.nest = nest_path
        self.admin = Address(f"{nest_path}/s", 5432, launcher.SUPERUSER, "postgres")
        self.note = f"embedded PostgreSQL {version}"
        self._where = where
        self._users = users
        _LEASES.add(self)

    def keep_image(self) -> None:
        """Have the server's data outlive it."""
        with suppress(FileNotFoundError):  # the server died: there is nothing to keep
            Path(self.nest, "keep").touch()

    def log(self) -> str:
        """The server's last words, also after it died."""
        text = remains.read(f"{self.nest}/log") or remains.read(str(self._where.last_log))
        return "\n".join(text.splitlines()[-20:])

    def release(self) -> None:
        """Give the share back; the last one to do so ends the server."""
        if self._users >= 0:
            self._let_go()
            # Its supervisor was killed: nobody else would remove what it left before the next start.
            if not nest.owned(self.nest):
                nest.sweep(os.path.dirname(self.nest))
                self._where.remove_locks()

    def _let_go(self) -> None:
        if self._users >= 0:
            os.close(self._users)
            self._users = -1


def lease(root: Path, cache: Path | None) -> EmbeddedLease:
    """A share in the server of the project at *root*, which is started if need be."""
    installation = binaries.find()
    where = folders(root, cache, installation.identity)
    # Held from here on: the server cannot end between being found and being used.
    users = locks.acquire(where.users, exclusive=False)
    try:
        path, version = _running(where) or _started(where, installation)
    except BaseException:
        os.close(users)
        where.remove_locks()
        raise
    return EmbeddedLease(where, path, version, users)


def _running(where: Folders) -> tuple[str, str] | None:
    """The nest and the version of the running server, if there is one."""
    lines = remains.read(str(where.ready)).splitlines()
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


def _started(where: Folders, installation: Installation) -> tuple[str, str]:
    lock = locks.acquire(where.start, exclusive=True)
    try:
        return _running(where) or _start(where, installation, lock)  # somebody else may have been faster
    finally:
        os.close(lock)


def _start(where: Folders, installation: Installation, lock: int) -> tuple[str, str]:
    for parent in nests():
        nest.sweep(parent)
    start(where, installation, lock)
    found = _running(where)
    if not found:
        raise start_errors.explain("died", "", remains.read(str(where.last_log)))
    return found


_LEASES: weakref.WeakSet[EmbeddedLease] = weakref.WeakSet()


def _forget_leases() -> None:
    """A child that was forked has a share of its own only if it asks for one: it must not keep its parent's alive."""
    for held in list(_LEASES):
        held._let_go()


os.register_at_fork(after_in_child=_forget_leases)
