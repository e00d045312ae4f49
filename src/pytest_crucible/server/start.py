"""Start the embedded server: choose an image and an identity, and hand both to a supervisor."""

from __future__ import annotations

import marshal
import os
import select
import subprocess
from dataclasses import dataclass
from pathlib import Path

from ..errors import ServerError
from . import cluster, copies, launcher, start_errors
from .binaries import Installation
from .folders import Folders, check_socket, with_room
from .identity import Identity, Refused
from .images import size

SECONDS = 120.0
# Extensions that we bring ourselves.
OURS = Path(__file__).parent / "extensions"


@dataclass(frozen=True)
class Attempt:
    """One attempt to start a server."""

    where: Folders
    installation: Installation
    identity: Identity
    image: Path
    parent: Path


def start(where: Folders, installation: Installation, lock: int) -> None:
    """Start a server that holds the start lock, the descriptor *lock*, until it is ready.

    Raises:
        ServerError: None could be started.
    """
    for identity in launcher.identities():
        try:
            _start_as(identity, where, installation, lock)
            return
        except Refused:
            continue
    raise start_errors.explain("refused", "", "")


def _start_as(identity: Identity, where: Folders, installation: Installation, lock: int) -> None:
    programs = copies.readable(installation, identity)
    if where.image.exists():
        try:
            return _try(where, programs, identity, where.image, lock)
        except ServerError:
            # A saved cluster may be at fault: put it aside, and build anew what was in it.
            where.image.replace(where.image.with_suffix(".damaged"))
    image = cluster.pristine(programs, where.images, identity, key=installation.identity)
    try:
        _try(where, programs, identity, image, lock)
    except ServerError:
        image.unlink(missing_ok=True)  # so that a damaged one is not met again
        raise


def _try(where: Folders, installation: Installation, identity: Identity, image: Path, lock: int) -> None:
    parent = with_room(size(str(image)))
    check_socket(parent, where.key)
    attempt = Attempt(where, installation, identity, image, parent)
    word, details, log = _supervise(attempt, lock)
    if word == "refused":
        raise Refused
    if word != "ready":
        raise start_errors.explain(word, details, log, parent=str(parent))


def _order(attempt: Attempt) -> dict[str, object]:
    where, installation = attempt.where, attempt.installation
    bundled = installation.extensions if installation.major >= 18 else None
    return {
        "argv": launcher.postgres(installation.postgres, installation.major, overlay=bundled is not None),
        "bundled": str(bundled or ""),
        "environment": launcher.environment(),
        "identity": attempt.identity,
        "image": str(attempt.image),
        "key": where.key,
        "last_log": str(where.last_log),
        "open_to_others": attempt.identity[0] == "user",
        "ours": str(OURS),
        "parent": str(attempt.parent),
        "ready": str(where.ready),
        "save_to": str(where.image),
        "start": str(where.start),
        "users": str(where.users),
        "version": installation.version,
    }


def _supervise(attempt: Attempt, lock: int) -> tuple[str, str, str]:
    """Start a supervisor; its report: a word, details, the end of PostgreSQL's log."""
    reading, writing = os.pipe()
    with open(reading, "rb") as report:
        try:
            said = _spawn({**_order(attempt), "report": writing, "start_lock": lock}, (writing, lock))
        finally:
            os.close(writing)
        ready, _, _ = select.select([report], [], [], SECONDS)
        answer = report.read() if ready else b""
    word, details, log = marshal.loads(answer) if answer else ("failed", f"The supervisor is silent. {said}", "")
    return word, details, log


def _spawn(order: dict[str, object], descriptors: tuple[int, ...]) -> str:
    process = subprocess.Popen(
        launcher.interpreter("from pytest_crucible.server.supervisor import main; main()"),
        stdin=subprocess.PIPE,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        pass_fds=descriptors,
        # Ctrl-C in the terminal is for the tests, which then let go of the server in their own time.
        start_new_session=True,
    )
    _, errors = process.communicate(marshal.dumps(order))
    return errors.decode(errors="replace")[-2000:]
