"""This user's own folders in places that all users of the machine share."""

from __future__ import annotations

import os
import stat
import tempfile
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

from ..errors import ServerError

# What lies there is only used once it is known to be this user's alone.
TMP = Path("/tmp")
NAMES = 9


def short() -> Path:
    """A folder for temporary files with a short path."""
    return TMP if os.access(TMP, os.W_OK) else Path(tempfile.gettempdir())


def own(place: Path) -> Path:
    """Return this user's folder in *place*, made if it is missing.

    Another user may have taken its name, with a folder, a link or a file: then it has another one. All processes of a
    user choose the same.

    Raises:
        ServerError: If other users have taken all names.
    """
    for path in owned(place):
        return path
    for path in _candidates(place):
        with suppress(FileExistsError):
            # As another user, PostgreSQL must be able to pass through root's folder.
            mode = 0o711 if os.geteuid() == 0 else 0o700
            path.mkdir(mode=mode)
            path.chmod(mode)
        if is_own(path):  # also where another process of this user was faster
            return path
    first = f"{place}/crucible-{os.geteuid()}"
    raise ServerError(
        f"{first} is not a folder of this user's alone, nor are {first}-2 to {first}-{NAMES}.",
        why="Other users made them, and could then reach the test databases.",
        do=f"Have an administrator remove them: rm -r {first} {first}-?",
    )


def owned(place: Path) -> Iterator[Path]:
    """Yield the folders in *place* that `own` made, the one to use first."""
    yield from filter(is_own, _candidates(place))


def _candidates(place: Path) -> list[Path]:
    first = f"crucible-{os.geteuid()}"
    return [place / first, *(place / f"{first}-{number}" for number in range(2, NAMES + 1))]


def is_own(path: Path) -> bool:
    """Whether *path* is a folder, and no link to one, that belongs to this user and that no other may write to."""
    try:
        status = path.lstat()
    except FileNotFoundError:
        return False
    return stat.S_ISDIR(status.st_mode) and status.st_uid == os.geteuid() and not status.st_mode & 0o022
