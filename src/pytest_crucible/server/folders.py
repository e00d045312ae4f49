"""Which folders on this machine are Crucible's: the cache, the locks, the nests."""

from __future__ import annotations

import hashlib
import os
import shutil
import stat
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path

from ..errors import ServerError, UsageError

# Room for the data that tests write, beyond the image.
SPARE = 512 << 20
LEAST = 96 << 20
# Linux has 107 characters for the path of a socket, macOS 103.
SOCKET_PATH = 103


@dataclass(frozen=True)
class Folders:
    """The folders of one project's server.

    Attributes:
        images: Cluster images, in the cache.
        locks: The project's lock files.
        key: The project's name in file names.
    """

    images: Path
    locks: Path
    key: str

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
    def image(self) -> Path:
        """What outlives this project's server."""
        return self.images / f"{self.key}.image"


def folders(root: Path, cache: Path | None, identity: str) -> Folders:
    """The folders for the project at *root* with the PostgreSQL of this *identity*."""
    chosen = cache or default_cache()
    # By user, since root's runs and everybody else's may share a home directory.
    images = chosen / str(os.geteuid()) / "images"
    images.mkdir(parents=True, exist_ok=True, mode=0o700)
    key = hashlib.sha256(f"{root.resolve()}\0{identity}\0{images.resolve()}".encode()).hexdigest()[:12]
    return Folders(images, own(short()), key)


def default_cache() -> Path:
    """Where images are kept unless somebody says otherwise."""
    for variable, tail in (("CRUCIBLE_CACHE", ""), ("XDG_CACHE_HOME", "pytest-crucible")):
        if os.environ.get(variable):
            return Path(os.environ[variable]) / tail
    home = Path.home()
    return home / ("Library/Caches" if sys.platform == "darwin" else ".cache") / "pytest-crucible"


def short() -> Path:
    """A folder for temporary files with a short path."""
    return Path("/tmp") if os.access("/tmp", os.W_OK) else Path(tempfile.gettempdir())


def places() -> list[Path]:
    """Where nests may be, best first: in memory, then among the temporary files."""
    memory = [Path("/dev/shm")] if os.access("/dev/shm", os.W_OK) else []
    return list(dict.fromkeys([*memory, short(), Path(tempfile.gettempdir())]))


def own(place: Path) -> Path:
    """This user's folder in *place*, which others may share."""
    path = place / f"crucible-{os.geteuid()}"
    # As another user, PostgreSQL must be able to pass through root's folder.
    mode = 0o711 if os.geteuid() == 0 else 0o700
    try:
        path.mkdir(mode=mode)
        path.chmod(mode)
    except FileExistsError:
        pass
    status = path.lstat()
    if not stat.S_ISDIR(status.st_mode) or status.st_uid != os.geteuid() or status.st_mode & 0o022:
        raise ServerError(
            f"{path} is not a folder of this user's alone.",
            why="Somebody else made it, and could then reach the test databases.",
            do=f"Remove it: rm -r {path}",
        )
    return path


def with_room(needed: int) -> Path:
    """The place for a nest that needs *needed* bytes and room to grow."""
    found = [(place, shutil.disk_usage(place).free) for place in places()]
    for spare in (SPARE, LEAST):
        for place, free in found:
            if free > needed + spare:
                return own(place)
    raise ServerError(
        f"There is no room for a test server: it needs {(needed + LEAST) >> 20} MB, and "
        + ", ".join(f"{place} has {free >> 20}" for place, free in found)
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
