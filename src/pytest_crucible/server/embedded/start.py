"""The start of the embedded server: it chooses an image and an identity, and passes both to a supervisor."""

from __future__ import annotations

from contextlib import suppress
from functools import partial
from pathlib import Path
from typing import NamedTuple

from ..folders import Folders, check_socket, with_room
from ..spawn import Report, supervise
from ..supervisor.identity import Identity, Refused
from ..supervisor.images import size
from . import cluster, copies, launcher
from . import errors as start_errors
from .binaries import Installation

SECONDS = 120.0
# Extensions that Crucible itself contains.
OWN_EXTENSIONS = Path(__file__).parent / "extensions"


# Reports of a supervisor that a damaged image may cause.
IMAGE_AT_FAULT = ("damaged", "died")


class Attempt(NamedTuple):
    """One attempt to start a server."""

    where: Folders
    installation: Installation
    identity: Identity
    image: Path
    parent: Path


def start(where: Folders, installation: Installation, lock: int) -> None:
    """Start a server that holds the start lock, the descriptor *lock*, until it is ready.

    Raises:
        ServerError: If none can be started.
    """
    for identity in launcher.identities():
        with suppress(Refused):
            return _start_as(identity, where, installation, lock)
    raise start_errors.explain("refused")


def _start_as(identity: Identity, where: Folders, installation: Installation, lock: int) -> None:
    programs = copies.readable(installation, identity)

    def attempt(image: Path) -> Report:
        parent = with_room(size(str(image)))
        check_socket(parent, where.key)
        return _supervise(Attempt(where, programs, identity, image, parent), lock)

    pristine = partial(cluster.pristine, programs, where, identity, key=installation.identity)
    image = where.image if where.image.exists() else pristine()
    report = attempt(image)
    if report.word in IMAGE_AT_FAULT:
        with suppress(OSError):  # a folder has this name, or the disk is read-only
            image.replace(image.with_suffix(".damaged"))
        report = attempt(pristine(bad=image if image.exists() else None))
    if report.word == "refused":
        raise Refused
    if report.word != "ready":
        raise start_errors.explain(*report)


def _order(attempt: Attempt) -> dict[str, object]:
    where, installation = attempt.where, attempt.installation
    bundled = installation.extensions if installation.major >= 18 else None
    return {
        "argv": launcher.postgres(installation.postgres, installation.major, overlay=bundled is not None),
        "bundled": str(bundled or ""),
        "environment": launcher.environment(),
        "identity": attempt.identity,
        "image": str(attempt.image),
        "last_log": str(where.last_log),
        "open_to_others": attempt.identity[0] == "user",
        "own_extensions": str(OWN_EXTENSIONS),
        "parent": str(attempt.parent),
        "save_to": str(where.image),
        "unsaved": str(where.unsaved),
        "version": installation.version,
    }


def _supervise(attempt: Attempt, lock: int) -> Report:
    argv = launcher.interpreter("from pytest_crucible.server.supervisor.embedded import main; main()")
    return supervise(argv, attempt.where, _order(attempt), lock, seconds=SECONDS)
