"""The folders of Crucible on this machine: the cache, the locks, the nests."""

from __future__ import annotations

import hashlib
import os
import shutil
import tempfile
from pathlib import Path
from typing import NamedTuple

from ..errors import ServerError, UsageError
from .cache import default_cache, image_folder, spare_folder
from .private import own, owned, short
from .supervisor import cleanup

MEMORY = Path("/dev/shm")
__all__ = ["Folders", "default_cache", "folders", "image_folder", "own", "short", "spare_folder"]

# Room for the data that tests write, beyond the image.
SPARE = 512 << 20
LEAST = 96 << 20
# The version of images: it changes when a server cannot use an older image (2: databases bear a mark).
CONTENT = "2"
# The path of a socket may have 107 characters on Linux, 103 on macOS.
SOCKET_PATH = 103


class Folders(NamedTuple):
    """The folders of one project's server.

    Attributes:
        images: Cluster images, in the cache.
        locks: The project's lock files.
        key: The project's name in file names.
        notes: Notes for the user on the cache.
    """

    images: Path
    locks: Path
    key: str
    notes: list[str]

    @property
    def users(self) -> Path:
        """The lock file that every user of the server holds, as a shared lock."""
        return self.locks / f"{self.key}.users"

    @property
    def start(self) -> Path:
        """The lock file that a process holds while it starts the server."""
        return self.locks / f"{self.key}.start"

    @property
    def ready(self) -> Path:
        """The file that names the nest of the server started last."""
        return self.locks / f"{self.key}.ready"

    @property
    def last_log(self) -> Path:
        """The file with the log of a server that died."""
        return self.locks / f"{self.key}.log"

    @property
    def unsaved(self) -> Path:
        """The file with the reason why the last image could not be saved; it exists until a run reports it."""
        return self.locks / f"{self.key}.unsaved"

    @property
    def image(self) -> Path:
        """The image of the cluster that outlives this project's server."""
        return self.images / f"{self.key}.image"

    def note_unsaved(self) -> None:
        """Note the error that the supervisor of an earlier server could not report itself."""
        reason = cleanup.read(str(self.unsaved))
        if reason:
            self.unsaved.unlink(missing_ok=True)
            self.notes.append(f"the templates of the last run could not be kept, so they are built again: {reason}")

    def remove_locks(self) -> None:
        """Remove the lock files if no process uses them."""
        cleanup.remove_locks(str(self.users), str(self.start), str(self.ready))


def folders(root: Path, cache: Path | None, identity: str) -> Folders:
    """Return the folders for the project at *root* with the PostgreSQL of this *identity*."""
    images = image_folder(cache)
    parts = (str(root.resolve()), identity, str(images.resolve()), CONTENT)
    key = hashlib.sha256("\0".join(parts).encode()).hexdigest()[:12]
    return Folders(images, own(short()), key, notes=[])


def places() -> list[Path]:
    """Return the places for nests, the best first: in memory, then among the temporary files."""
    memory = [MEMORY] if os.access(MEMORY, os.W_OK) else []
    return list(dict.fromkeys([*memory, short(), Path(tempfile.gettempdir())]))


def nests() -> list[str]:
    """Return the folders of this user that may hold nests."""
    return [str(path) for place in places() for path in owned(place)]


def free(place: Path) -> int:
    """Return the number of bytes that this user may still write in *place*."""
    return shutil.disk_usage(place).free


def with_room(needed: int) -> Path:
    """Return the folder for a nest that needs *needed* bytes and room to grow.

    Raises:
        ServerError: If no place has so much room.
    """
    rooms = [(place, free(place)) for place in places()]
    for spare in (SPARE, LEAST):
        for place, room in rooms:
            if room > needed + spare:
                return own(place)
    raise ServerError(
        f"There is no room for a test server: it needs {(needed + LEAST) >> 20} MB, and "
        + ", ".join(f"{place} has {room >> 20}" for place, room in rooms)
        + ".",
        why="The data directory lies in memory (/dev/shm) or, if that is small, among the temporary files.",
        do="Make room there, or point TMPDIR at a larger disk. In Docker: docker run --shm-size=1g.",
    )


def check_socket(parent: Path, key: str) -> None:
    """Refuse a place whose path is too long for a socket."""
    path = f"{parent}/{key}-12345678/s/.s.PGSQL.5432"
    if len(os.fsencode(path)) > SOCKET_PATH:
        raise UsageError(
            f"The path of the server's socket would be {len(path)} characters long: {path}",
            why=f"The operating system allows {SOCKET_PATH}.",
            do="Point TMPDIR at a folder with a short path, for example TMPDIR=/tmp.",
        )
