"""The pristine cluster, which initdb makes once for each PostgreSQL build and which is kept as an image."""

from __future__ import annotations

import os
from pathlib import Path

from ...errors import ServerError
from .. import folders
from ..folders import Folders
from ..supervisor import images
from ..supervisor.identity import Identity, owner
from ..supervisor.nest import Nest
from . import errors as start_errors
from . import launcher
from .binaries import Installation

NEEDED = 64 << 20


def flags(major: int) -> list[str]:
    """Return initdb's flags for this major version."""
    chosen = ["-U", launcher.SUPERUSER, "-A", "trust", "-N", "-E", "UTF8", "--wal-segsize=1"]
    if major >= 17:
        # Unlike libc's C locale it knows upper('ä'), and unlike all others it sorts identically on all systems.
        chosen += ["--locale=C", "--locale-provider=builtin", "--builtin-locale=C.UTF-8"]
    else:
        chosen += ["--locale=C.UTF-8"]
    return chosen + (["--no-data-checksums"] if major >= 18 else [])


def pristine(
    installation: Installation, where: Folders, identity: Identity, *, key: str, bad: Path | None = None
) -> Path:
    """Return the image of a fresh cluster, made if neither the cache nor its substitute has one under this *key*.

    Args:
        installation: The programs.
        where: The folders of the project; gets a note if the cache cannot be written.
        identity: The identity that PostgreSQL runs with.
        key: The name of the installation.
        bad: An image that no server starts from, and that may still exist.

    Raises:
        ServerError: If initdb fails, or there is no room for the cluster.
        Refused: If it may not run with this identity here.
    """
    places = [folder / f"initdb-{key}.image" for folder in (where.images, folders.spare_folder())]
    for image in places:
        if image.exists() and image != bad:
            return image
    nest = Nest(str(folders.with_room(NEEDED)), "initdb", open_to_others=owner(identity) is not None)
    try:
        initdb(installation, f"{nest.path}/data", identity)
        return _packed(f"{nest.path}/data", places, where.notes)
    finally:
        nest.remove()


def _packed(data: str, places: list[Path], notes: list[str]) -> Path:
    """Save the cluster in the first of the *places* that can be written."""
    for image in places:
        try:
            images.pack(data, str(image))
        except OSError as error:
            failed = error
            notes.append(f"the cache {image.parent} is not used: {error.strerror}")
        else:
            return image
    raise start_errors.explain("full", str(failed)) from failed


def initdb(installation: Installation, data: str, identity: Identity) -> None:
    """Make a cluster in the folder *data*."""
    os.mkdir(data, 0o700)
    belongs_to = owner(identity)
    if belongs_to:
        os.chown(data, *belongs_to)
    argv = [str(installation.bin / "initdb"), "-D", data, *flags(installation.major)]
    done = launcher.run(identity, argv)
    if done.returncode:
        raise ServerError(
            f"initdb failed with status {done.returncode}: {done.stderr.strip() or done.stdout.strip()}",
            why=f"PostgreSQL {installation.version} could not make a cluster in {data}.",
            do="Run it by hand in an empty folder to see more: " + " ".join(argv),
        )
