"""A PostgreSQL server of our own, one for each project and user, shared by all who ask."""

from __future__ import annotations

import fcntl
import marshal
import os
import socket
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import NoReturn

from ..errors import ServerError
from . import binaries, cluster, launcher, nest
from .address import Address
from .binaries import Installation
from .folders import Folders, check_socket, folders, places, with_room
from .identity import Identity
from .images import size

START_SECONDS = 120.0
OURS = Path(__file__).parent / "extensions"


class EmbeddedLease:
    """A share in the project's embedded server."""

    kind = "embedded"
    owned = True

    def __init__(self, nest_path: str, version: str, users: int) -> None:
        self.nest = nest_path
        self.admin = Address(f"{nest_path}/s", 5432, launcher.SUPERUSER, "postgres")
        self.note = f"embedded PostgreSQL {version}"
        self._users = users
        self._pid = os.getpid()

    def keep_image(self) -> None:
        """Have the server's data outlive it."""
        Path(self.nest, "keep").touch()

    def release(self) -> None:
        """Give the share back; the last one to do so ends the server."""
        if self._users >= 0:
            os.close(self._users)
            self._users = -1
            if not nest.owned(self.nest):
                nest.sweep(os.path.dirname(self.nest))


def lease(root: Path, cache: Path | None) -> EmbeddedLease:
    """A share in the server of the project at *root*, which is started if need be."""
    installation = binaries.find()
    where = folders(root, cache, installation.identity)
    # Held from here on: the server cannot end between being found and being used.
    users = os.open(where.users, os.O_RDWR | os.O_CREAT, 0o600)
    try:
        fcntl.flock(users, fcntl.LOCK_SH)
        path = _running(where) or _started(where, installation)
    except BaseException:
        os.close(users)
        raise
    return EmbeddedLease(path, installation.version, users)


def _running(where: Folders) -> str | None:
    """The nest of the running server, if there is one."""
    try:
        path = where.ready.read_text()
    except OSError:
        return None
    return path if nest.owned(path) and _answers(f"{path}/s/.s.PGSQL.5432") else None


def _answers(path: str) -> bool:
    with socket.socket(socket.AF_UNIX) as probe:
        try:
            probe.connect(path)
        except OSError:
            return False
    return True


def _started(where: Folders, installation: Installation) -> str:
    with _start_lock(where) as lock:
        path = _running(where)  # somebody else may have been faster
        if path:
            return path
        for place in places():
            nest.sweep(f"{place}/crucible-{os.geteuid()}")
        return _start(where, installation, lock)


@contextmanager
def _start_lock(where: Folders) -> Iterator[int]:
    lock = os.open(where.start, os.O_RDWR | os.O_CREAT, 0o600)
    try:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield lock
    finally:
        os.close(lock)


def _start(where: Folders, installation: Installation, lock: int) -> str:
    for identity in launcher.identities():
        try:
            image = where.image if where.image.exists() else cluster.pristine(installation, where.images, identity)
        except cluster.Refused:
            continue
        word, details, log = _supervise(where, installation, identity, image, lock)
        if word == "ready":
            return details
        if word != "refused":
            _fail(word, details, log)
    _fail("refused", "", "")


def _supervise(where: Folders, installation: Installation, identity: Identity, image: Path, lock: int) -> tuple[str, str, str]:
    parent = with_room(size(str(image)))
    check_socket(parent, where.key)
    bundled = installation.extensions if installation.major >= 18 else None
    reading, writing = os.pipe()
    order = {
        "argv": launcher.postgres(installation.postgres, installation.major, overlay=bundled is not None),
        "bundled": str(bundled or ""),
        "closed": identity[0] == "user",
        "environment": launcher.environment(),
        "identity": identity,
        "image": str(image),
        "key": where.key,
        "ours": str(OURS),
        "parent": str(parent),
        "ready": str(where.ready),
        "report": writing,
        "save_to": str(where.image),
        "start_lock": lock,
        "users": str(where.users),
    }
    argv = launcher.interpreter("from pytest_crucible.server.supervisor import main; main()")
    try:
        process = subprocess.Popen(
            argv,
            stdin=subprocess.PIPE,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            pass_fds=(writing, lock),
            start_new_session=True,
        )
        process.communicate(marshal.dumps(order))
    finally:
        os.close(writing)
    with open(reading, "rb") as report:
        said = report.read()
    return marshal.loads(said) if said else ("failed", "the supervisor ended without a word", "")


def _fail(word: str, details: str, log: str) -> NoReturn:
    raise ServerError(f"The embedded PostgreSQL server did not start ({word}). {details}", why=log)
