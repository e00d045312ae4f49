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
from . import remains

# What lies there is only used once it is known to be this user's alone.
TMP = Path("/tmp")
MEMORY = Path("/dev/shm")
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
    def last_log(self) -> Path:
        """What a server wrote that died."""
        return self.locks / f"{self.key}.log"

    @property
    def image(self) -> Path:
        """What outlives this project's server."""
        return self.images / f"{self.key}.image"

    def remove_locks(self) -> None:
        """Remove the lock files if nobody uses them."""
        remains.remove_locks(str(self.users), str(self.start), str(self.ready))


def folders(root: Path, cache: Path | None, identity: str) -> Folders:
    """The folders for the project at *root* with the PostgreSQL of this *identity*."""
    images = image_folder(cache)
    words = (str(root.resolve()), identity, str(images.resolve()), CONTENT)
    key = hashlib.sha256("\0".join(words).encode()).hexdigest()[:12]
    return Folders(images, own(short()), key)


def image_folder(cache: Path | None) -> Path:
    """The folder of cluster images, made if it is missing; *cache* where the caller names one."""
    # By user, since root's runs and everybody else's may share a home directory.
    tail = Path(str(os.geteuid()), "images")
    named = cache or _named_cache()
    images = (named or default_cache()) / tail
    try:
        images.mkdir(parents=True, exist_ok=True, mode=0o700)
    except OSError as error:
        if named:
            raise UsageError(
                f"The cache folder {named} cannot be made: {error}",
                why="Crucible keeps clusters there between runs.",
                do="Set CRUCIBLE_CACHE to a folder that you may write, or unset it.",
            ) from error
        images = own(short()) / "cache" / tail  # a user without a home directory, as in many containers
        images.mkdir(parents=True, exist_ok=True, mode=0o700)
    return images


def default_cache() -> Path:
    """Where images are kept where nobody says otherwise."""
    home = Path(os.path.expanduser("~"))
    return home / ("Library/Caches" if sys.platform == "darwin" else ".cache") / "pytest-crucible"


def _named_cache() -> Path | None:
    for variable, tail in (("CRUCIBLE_CACHE", ""), ("XDG_CACHE_HOME", "pytest-crucible")):
        if os.environ.get(variable):
            return Path(os.environ[variable]) / tail
    return None


def short() -> Path:
    """A folder for temporary files with a short path."""
    return TMP if os.access(TMP, os.W_OK) else Path(tempfile.gettempdir())


def places() -> list[Path]:
    """Where nests may be, best first: in memory, then among the temporary files."""
    memory = [MEMORY] if os.access(MEMORY, os.W_OK) else []
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
    if not _is_own(path):
        raise ServerError(
            f"{path} is not a folder of this user's alone.",
            why="Somebody else made it, and could then reach the test databases.",
            do=f"Remove it: rm -r {path}",
        )
    return path


def _is_own(path: Path) -> bool:
    status = path.lstat()
    return stat.S_ISDIR(status.st_mode) and status.st_uid == os.geteuid() and not status.st_mode & 0o022


def nests() -> list[str]:
    """The folders of this user in which nests may be."""
    paths = [place / f"crucible-{os.geteuid()}" for place in places()]
    return [str(path) for path in paths if path.is_dir() and _is_own(path)]


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
