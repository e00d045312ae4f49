"""The user's private folders in places that all users of the machine share."""

from __future__ import annotations

import os
import stat
import tempfile
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

from ..errors import ServerError

# A folder there is used only after a check that it belongs to this user alone.
TMP = Path("/tmp")
NAMES = 9


def short() -> Path:
    """Return a folder for temporary files with a short path."""
    return TMP if os.access(TMP, os.W_OK) else Path(tempfile.gettempdir())


def own(place: Path) -> Path:
    """Return this user's folder in *place*, made if it is missing.

    If another user has taken its name, with a folder, a link or a file, the next name is used. All processes of a user
    choose the same one.

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
        if is_own(path):  # also if another process of this user was faster
            return path
    first = f"{place}/crucible-{os.geteuid()}"
    raise ServerError(
        f"{first} is not a private folder of this user, nor are {first}-2 to {first}-{NAMES}.",
        why="Other users made them, and could reach the test databases through them.",
        do=f"Have an administrator remove them: rm -r {first} {first}-?",
    )


def owned(place: Path) -> Iterator[Path]:
    """Yield the folders in *place* that `own` made; the first is the one to use."""
    yield from filter(is_own, _candidates(place))


def _candidates(place: Path) -> list[Path]:
    first = f"crucible-{os.geteuid()}"
    return [place / first, *(place / f"{first}-{number}" for number in range(2, NAMES + 1))]


def is_own(path: Path) -> bool:
    """Return whether *path* is a folder, and no link, of this user to which no other user may write."""
    try:
        status = path.lstat()
    except FileNotFoundError:
        return False
    return stat.S_ISDIR(status.st_mode) and status.st_uid == os.geteuid() and not status.st_mode & 0o022
