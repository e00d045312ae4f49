"""The pristine cluster: what initdb makes, done once for each PostgreSQL build and kept as an image."""

from __future__ import annotations

import os
from pathlib import Path

from ..errors import ServerError
from . import folders, images, launcher
from .binaries import Installation
from .identity import Identity, owner
from .nest import Nest

NEEDED = 64 << 20


def flags(major: int) -> list[str]:
    """initdb's flags for this major version."""
    chosen = ["-U", launcher.SUPERUSER, "-A", "trust", "-N", "-E", "UTF8", "--wal-segsize=1"]
    if major >= 17:
        # Unlike libc's C locale it knows upper('ä'), and unlike all others it sorts the same everywhere.
        chosen += ["--locale=C", "--locale-provider=builtin", "--builtin-locale=C.UTF-8"]
    else:
        chosen += ["--locale=C.UTF-8"]
    return chosen + (["--no-data-checksums"] if major >= 18 else [])


def pristine(installation: Installation, folder: Path, identity: Identity, *, key: str) -> Path:
    """The image of a fresh cluster, made if it is not in the cache under this *key*.

    Raises:
        ServerError: initdb failed.
        Refused: It may not run with this identity here.
    """
    image = folder / f"initdb-{key}.image"
    if not image.exists():
        nest = Nest(str(folders.with_room(NEEDED)), "initdb", open_to_others=owner(identity) is not None)
        try:
            initdb(installation, f"{nest.path}/data", identity)
            images.pack(f"{nest.path}/data", str(image))
        finally:
            nest.remove()
    return image


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
            do="Run it by hand to see more, in an empty folder of your own: " + " ".join(argv),
        )
