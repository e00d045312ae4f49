"""The lease of a PostgreSQL server in a container: one for each project, image and user, or for each process.

A supervisor (`supervisor.container`) starts, watches and removes the container.
"""

from __future__ import annotations

import importlib.util
import os
import socket
import struct
import sys
from dataclasses import dataclass
from pathlib import Path

from ..address import Address
from ..embedded import launcher
from ..folders import Folders, folders, nests, own, short
from ..share import Share
from ..spawn import supervise
from ..supervisor import cleanup, nest
from . import errors as container_errors

IMAGE = "postgres:16-alpine"
PRIVATE = "container-per-worker"
# An image may have to be pulled first.
SECONDS = 900.0
PROBE_SECONDS = 5.0
# PostgreSQL manual, 53.7: the server answers with one letter, before the client names a role.
SSL_REQUEST = struct.pack("!II", 8, 80877103)


@dataclass(frozen=True)
class Running:
    """A running container: the nest of its supervisor, and its address."""

    nest: str
    host: str
    port: int


class ContainerLease:
    """A share in a container; see :class:`pytest_crucible.server.Lease`."""

    kind = "container"
    owned = True

    def __init__(self, share: Share, running: Running, image: str) -> None:
        self.nest = running.nest
        self.admin = Address(running.host, running.port, launcher.SUPERUSER, "postgres")
        self.note = f"PostgreSQL in a container of {image}"
        self.notes: list[str] = []
        self._share = share

    def room(self) -> None:
        """Return None: the server's disk is not seen from here."""

    def keep_image(self) -> None:
        """Do nothing: the databases are removed with their container."""

    def release(self) -> None:
        """Release the share; the container ends with the last one, or some time after it."""
        self._share.leave(self.nest)


def lease(spec: str, root: Path, cache: Path | None, linger: int = 0) -> ContainerLease:
    """Return a share in the container that *spec* names, which is started if necessary.

    Raises:
        ServerError: If there is no engine or no image, or the container does not start.
    """
    kind, _, named = spec.partition(":")
    image = named or IMAGE
    # The random part keeps other processes from finding a private container.
    secret = os.urandom(8).hex() if kind == PRIVATE else ""
    where = folders(root, cache, f"{image}\0{os.environ.get('DOCKER_HOST', '')}\0{secret}")
    share = Share(where, seconds=SECONDS, linger=0 if kind == PRIVATE else linger)
    running = share.join(lambda: _running(where), lambda lock: _start(where, image, lock))
    if not running:
        share.release()
        raise container_errors.explain("died", image)
    return ContainerLease(share, running, image)


def _running(where: Folders) -> Running | None:
    lines = cleanup.read(str(where.ready)).splitlines()
    if len(lines) == 3 and nest.owned(lines[0]):
        running = Running(lines[0], lines[1], int(lines[2]))
        return running if _answers(running.host, running.port) else None
    return None


def _answers(host: str, port: int) -> bool:
    """Return whether PostgreSQL answers: an engine also accepts connections for a container that has ended."""
    try:
        with socket.create_connection((host, port), PROBE_SECONDS) as probe:
            probe.sendall(SSL_REQUEST)
            return probe.recv(1) in (b"S", b"N")
    except OSError:
        return False


def _start(where: Folders, image: str, lock: int) -> None:
    if importlib.util.find_spec("testcontainers") is None:
        raise container_errors.explain("missing", image)
    for place in nests():
        nest.sweep(place)
    parent = own(short())
    order = {
        "command": launcher.containerised(),
        "image": image,
        "parent": str(parent),
        "realm": str(parent / "realm"),
        "user": launcher.SUPERUSER,
    }
    report = supervise(_argv(), where, order, lock, seconds=SECONDS)
    if report.word != "ready":
        raise container_errors.explain(report.word, image, report.details, report.log)


def _argv() -> list[str]:
    # With the user's packages, unlike the embedded server's supervisor, and without the user's warning filters, which
    # could turn warnings into errors.
    code = launcher.BOOT + "from pytest_crucible.server.supervisor.container import main; main()"
    return [sys.executable, "-W", "ignore", "-c", code, str(Path(__file__).parents[2])]
