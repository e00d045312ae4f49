"""The cache: the folder in which images of clusters are kept between runs.

PostgreSQL runs the contents of an image, so no other user may place one there. The folders of a user are made for that
user alone; the folders above them must not allow another user to replace them.
"""

from __future__ import annotations

import errno
import grp
import os
import pwd
import stat
import sys
from pathlib import Path

from ..errors import UsageError
from .private import own, short

# A disk that cannot be written is no mistake in the settings.
FULL = {errno.ENOSPC, errno.EDQUOT, errno.EROFS}


def image_folder(cache: Path | None) -> Path:
    """Return the folder of cluster images, made if it is missing, in *cache* or the default cache.

    Raises:
        UsageError: If a cache that the caller or the environment names cannot be made, or if other users may write
            to it.
    """
    named = cache or _named_cache()
    folder = named or default_cache()
    images = folder / _tail()
    try:
        _make(images)
    except OSError as error:
        if named and error.errno not in FULL:
            raise UsageError(
                f"The cache folder {named} cannot be made: {error}",
                why="Crucible keeps clusters there between runs.",
                do="Set CRUCIBLE_CACHE to a folder that you may write, or unset it.",
            ) from error
        return spare_folder()  # a user without a home directory, as in many containers
    fault = _fault(images)
    if fault and named:
        raise _open_to_others(*fault)
    return spare_folder() if fault else images


def spare_folder() -> Path:
    """Return a folder for images among the temporary files, for use if the cache cannot be used."""
    images = own(short()) / "cache" / _tail()
    images.mkdir(parents=True, exist_ok=True, mode=0o700)
    return images


def default_cache() -> Path:
    """Return the folder of images that is used unless another one is named."""
    home = Path(os.path.expanduser("~"))
    return home / ("Library/Caches" if sys.platform == "darwin" else ".cache") / "pytest-crucible"


def _tail() -> Path:
    # By user, since runs of root and of other users may share a home directory.
    return Path(str(os.geteuid()), "images")


def _named_cache() -> Path | None:
    for variable, tail in (("CRUCIBLE_CACHE", ""), ("XDG_CACHE_HOME", "pytest-crucible")):
        if os.environ.get(variable):
            return Path(os.environ[variable]) / tail
    return None


def _make(images: Path) -> None:
    """Make the folder and those above it, with modes that do not depend on the umask."""
    for folder in [*reversed(images.parents), images]:
        if not folder.exists():
            folder.mkdir(mode=0o700 if folder in (images, images.parent) else 0o755, exist_ok=True)
    images.stat()


def _fault(images: Path) -> tuple[Path, str, str] | None:
    """Return the first unsafe folder on the way to *images*, the reason and the advice; None if all are safe."""
    for folder in (images.parent, images):
        status = folder.lstat()
        if not stat.S_ISDIR(status.st_mode):
            return folder, "it is a link to another folder", f"Remove it: rm {folder}"
        if status.st_uid != os.geteuid():
            return (
                folder,
                f"it belongs to {_name(status.st_uid)}",
                "Remove it, or set CRUCIBLE_CACHE to another folder.",
            )
        if _others_write(status):
            return folder, "other users may write to it", f"If none has: chmod -R go-w {folder}; else: rm -r {folder}"
    for folder in images.parent.resolve().parents:
        status = folder.stat()
        if _others_write(status) and not status.st_mode & stat.S_ISVTX:
            do = f"Run chmod go-w {folder}, or chmod +t {folder}, or set CRUCIBLE_CACHE to another folder."
            return folder, f"other users may put another folder in the place of {images.parent}", do
    return None


def _others_write(status: os.stat_result) -> bool:
    group = bool(status.st_mode & stat.S_IWGRP) and not _is_private_group(status.st_gid)
    return group or bool(status.st_mode & stat.S_IWOTH)


def _is_private_group(number: int) -> bool:
    """Return whether the group *number* has this user only, as many systems make one for each user."""
    try:
        group = grp.getgrgid(number)
    except KeyError:
        return False
    user = _name(os.geteuid())
    return group.gr_name == user and set(group.gr_mem) <= {user}


def _name(user: int) -> str:
    try:
        return pwd.getpwuid(user).pw_name
    except KeyError:
        return f"the user {user}"


def _open_to_others(folder: Path, why: str, do: str) -> UsageError:
    return UsageError(
        f"The cache is not used: {folder} is not safe from other users; {why}.",
        why="PostgreSQL runs the code in a saved cluster, so a cluster of another user would run as this user.",
        do=do,
    )
