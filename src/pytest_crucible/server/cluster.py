"""The pristine cluster: what initdb makes, done once for each PostgreSQL build and kept as an image."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

from ..errors import ServerError
from . import folders, images, launcher
from .binaries import Installation
from .identity import REFUSED, SELF, Identity, owner
from .nest import Nest

NEEDED = 64 << 20


def flags(major: int) -> list[str]:
    """initdb's flags for this major version."""
    chosen = ["-U", launcher.SUPERUSER, "-A", "trust", "-N", "-E", "UTF8", "--wal-segsize=1", "--no-instructions"]
    if major >= 17:
        # Unlike libc's C locale it knows upper('ä'), and unlike all others it sorts the same everywhere.
        chosen += ["--locale=C", "--locale-provider=builtin", "--builtin-locale=C.UTF-8"]
    else:
        chosen += ["--locale=C.UTF-8"]
    if major >= 18:
        chosen += ["--no-data-checksums"]
    return chosen


def pristine(installation: Installation, folder: Path, identity: Identity) -> Path:
    """The image of a fresh cluster, made if it is not in the cache."""
    image = folder / f"initdb-{installation.identity}.image"
    if not image.exists():
        parent = folders.with_room(NEEDED)
        nest = Nest(str(parent), "initdb", mode=0o711 if identity[0] == "user" else 0o700)
        try:
            initdb(installation, f"{nest.path}/data", identity)
            images.pack(f"{nest.path}/data", str(image))
        finally:
            nest.remove()
    return image


def initdb(installation: Installation, data: str, identity: Identity) -> None:
    """Make a cluster in *data*.

    Raises:
        ServerError: initdb failed.
    """
    os.mkdir(data, 0o700)
    belongs_to = owner(identity)
    if belongs_to:
        os.chown(data, *belongs_to)
    argv = [str(installation.bin / "initdb"), "-D", data, *flags(installation.major)]
    done = subprocess.run(
        _as(identity, argv), capture_output=True, text=True, env=launcher.environment(), cwd="/", stdin=subprocess.DEVNULL
    )
    if done.returncode == REFUSED and identity != SELF:
        raise Refused(done.stderr)
    if done.returncode:
        raise ServerError(
            f"initdb failed with status {done.returncode}: {done.stderr.strip() or done.stdout.strip()}",
            why=f"PostgreSQL {installation.version} could not make a cluster in {data}.",
            do="Run the command by hand to see more: " + " ".join(argv),
        )


class Refused(Exception):
    """This identity is not allowed here; another may be."""


def _as(identity: Identity, argv: list[str]) -> list[str]:
    if identity == SELF:
        return argv
    code = f"from pytest_crucible.server.identity import execute; execute({identity!r}, sys.argv[2:])"
    return launcher.interpreter(code, *argv)
