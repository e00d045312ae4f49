"""Which folders on this machine are Crucible's: the cache, the locks, the nests."""

from __future__ import annotations

import hashlib
import os
import shutil
import tempfile
from dataclasses import dataclass, field
from pathlib import Path

from ..errors import ServerError, UsageError
from .cache import default_cache, image_folder, spare_folder
from .private import own, owned, short
from .supervisor import cleanup

MEMORY = Path("/dev/shm")
__all__ = ["Folders", "default_cache", "folders", "image_folder", "own", "short", "spare_folder"]

# Room for the data that tests write, beyond the image.
SPARE = 512 << 20
LEAST = 96 << 20
# Changes when a server can make nothing of what an older one saved: 2 since databases bear a mark.
CONTENT = "2"
# Linux has 107 characters for the path of a socket, macOS 103.
SOCKET_PATH = 103


@dataclass(frozen=True)
class Folders:
    """The folders of one project's server.

    Attributes:
        images: Cluster images, in the cache.
        locks: The project's lock files.
        key: The project's name in file names.
        notes: What the run should say of the cache.
    """

    images: Path
    locks: Path
    key: str
    notes: list[str] = field(default_factory=list)

    @property
    def users(self) -> Path:
        """Held shared by every user of the server."""
        return self.locks / f"{self.key}.users"

    @property
    def start(self) -> Path:
        """Held by whoever starts the server."""
        return self.locks / f"{self.key}.start"

    @property
    def ready(self) -> Path:
        """Names the nest of the server that was started last."""
        return self.locks / f"{self.key}.ready"

    @property
    def last_log(self) -> Path:
        """What a server wrote that died."""
        return self.locks / f"{self.key}.log"

    @property
    def unsaved(self) -> Path:
        """Why the last server's image could not be saved; there until a run has said so."""
        return self.locks / f"{self.key}.unsaved"

    @property
    def image(self) -> Path:
        """What outlives this project's server."""
        return self.images / f"{self.key}.image"

    def note_unsaved(self) -> None:
        """Take over what the supervisor of an earlier server could tell nobody."""
        reason = cleanup.read(str(self.unsaved))
        if reason:
            self.unsaved.unlink(missing_ok=True)
            self.notes.append(f"what the run before built could not be kept, so it is built again: {reason}")

    def remove_locks(self) -> None:
        """Remove the lock files if nobody uses them."""
        cleanup.remove_locks(str(self.users), str(self.start), str(self.ready))


def folders(root: Path, cache: Path | None, identity: str) -> Folders:
    """The folders for the project at *root* with the PostgreSQL of this *identity*."""
    images = image_folder(cache)
    words = (str(root.resolve()), identity, str(images.resolve()), CONTENT)
    key = hashlib.sha256("\0".join(words).encode()).hexdigest()[:12]
    return Folders(images, own(short()), key)


def places() -> list[Path]:
    """Where nests may be, best first: in memory, then among the temporary files."""
    memory = [MEMORY] if os.access(MEMORY, os.W_OK) else []
    return list(dict.fromkeys([*memory, short(), Path(tempfile.gettempdir())]))


def nests() -> list[str]:
    """The folders of this user in which nests may be."""
    return [str(path) for place in places() for path in owned(place)]


def free(place: Path) -> int:
    """How many bytes this user may still write there."""
    return shutil.disk_usage(place).free


def with_room(needed: int) -> Path:
    """The place for a nest that needs *needed* bytes and room to grow."""
    found = [(place, free(place)) for place in places()]
    for spare in (SPARE, LEAST):
        for place, room in found:
            if room > needed + spare:
                return own(place)
    raise ServerError(
        f"There is no room for a test server: it needs {(needed + LEAST) >> 20} MB, and "
        + ", ".join(f"{place} has {room >> 20}" for place, room in found)
        + ".",
        why="The data directory lies in memory (/dev/shm) or, where that is small, among the temporary files.",
        do="Make room there, or point TMPDIR at a larger disk. In Docker: docker run --shm-size=1g.",
    )


def check_socket(parent: Path, key: str) -> None:
    """Refuse a place whose path is too long for a socket.

    Raises:
        UsageError: It is.
    """
    path = f"{parent}/{key}-12345678/s/.s.PGSQL.5432"
    if len(os.fsencode(path)) > SOCKET_PATH:
        raise UsageError(
            f"The path of the server's socket would be {len(path)} characters long: {path}",
            why=f"The operating system allows {SOCKET_PATH}.",
            do="Point TMPDIR at a folder with a short path, for example TMPDIR=/tmp.",
        )
