"""Cluster images: a stopped data directory in one file.

It is one file because reading a thousand small ones makes a cold start slow, because a rename makes it appear whole
or not at all, and because a bounded cache needs only its age and size.

::

    MAGIC │ the files' contents, one after another │ table │ footer (table's offset and checksum, MAGIC)

The footer comes last: an image whose writing was interrupted has none. Each file has a checksum, since a data
directory that was damaged in the cache would fail in the middle of a test run. The checksums also make it unnecessary
to force images to the disk, which takes seconds on a busy machine: damage by a power cut is detected, and the image
made again.

The supervisor imports this module: it must stay cheap to import.
"""

from __future__ import annotations

import fcntl
import mmap
import os
import stat
import struct
import zlib

from pytest_crucible.server.supervisor import cleanup

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator
    from io import BufferedReader

MAGIC = b"crucible image 1\n"
STAGE = ".new"
FOOTER = struct.Struct(f"<QI{len(MAGIC)}s")
CHUNK = 1 << 20
LIMIT = 2 << 30

# The folders that pg_basebackup leaves out as well: PostgreSQL makes their contents anew when it starts.
EMPTY = {"pg_dynshmem", "pg_notify", "pg_serial", "pg_snapshots", "pg_stat_tmp", "pg_subtrans"}
SKIPPED = {"postmaster.pid", "postmaster.opts"}


class BadImage(Exception):
    """The file is not a whole image."""


def pack(source: str, image: str) -> None:
    """Save the data directory *source* of a stopped server as *image*, whole or not at all.

    Raises:
        OSError: If it cannot be written: the disk is full, or a folder has the name of the image.
    """
    stage = f"{image}.{os.urandom(4).hex()}{STAGE}"
    try:
        with open(stage, "xb", buffering=0, opener=_for_this_user) as out:
            fcntl.flock(out.fileno(), fcntl.LOCK_EX)  # until it has its own name; see `clear`
            out.write(MAGIC)
            table = "".join(_append(out.fileno(), source, path) for path in _entries(source)).encode()
            offset = os.lseek(out.fileno(), 0, os.SEEK_CUR)
            _write(out.fileno(), memoryview(table + FOOTER.pack(offset, zlib.crc32(table), MAGIC)))
            os.replace(stage, image)
    finally:
        if os.path.exists(stage):
            os.unlink(stage)


def unpack(image: str, target: str, owner: tuple[int, int] | None = None) -> None:
    """Make *target* the data directory that *image* holds, belonging to *owner* if given.

    Raises:
        BadImage: If the file is damaged, or another user's; *target* may exist in part.
    """
    with _opened(image) as file:
        if os.fstat(file.fileno()).st_size < len(MAGIC) + FOOTER.size:
            raise BadImage(f"{image} is cut short")
        # Not closed here: an error on its way up still refers to a part of it.
        view = memoryview(mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ))
    os.mkdir(target, 0o700)
    if owner:
        os.chown(target, *owner)
    _unpack_all(view, target, owner)
    cleanup.attempt(os.utime, image)


def size(image: str) -> int:
    """Return the approximate size of the data directory in *image* in bytes, to within a block for each file."""
    return os.stat(image).st_size


def prune(folder: str, *, keep: str, limit: int = LIMIT) -> None:
    """Remove the least recently used images of *folder*, until the rest fits into *limit* bytes."""
    seen = sorted((status.st_mtime, status.st_size, path) for path, status in files(folder))
    total = sum(length for _, length, _ in seen)
    for _, length, path in seen:
        if total > limit and path != keep:
            cleanup.attempt(os.unlink, path)
            total -= length


def clear(folder: str) -> list[str]:
    """Remove what savings left that were killed; returns the paths."""
    return [path for path, _ in files(folder) if path.endswith(STAGE) and _is_removed(path)]


def files(folder: str) -> Iterator[tuple[str, os.stat_result]]:
    """Yield each file in the *folder*, and its status."""
    for entry in os.scandir(folder):
        try:
            status = entry.stat(follow_symlinks=False)
        except FileNotFoundError:  # another process removed it
            continue
        if stat.S_ISREG(status.st_mode):
            yield entry.path, status


def _is_removed(stage: str) -> bool:
    """Remove a file that no process is writing any more; whether there was one."""
    try:
        with open(stage, "rb") as file:
            fcntl.flock(file.fileno(), fcntl.LOCK_EX | fcntl.LOCK_NB)
            os.unlink(stage)
    except OSError:
        return False
    return True


def _for_this_user(path: str, flags: int) -> int:
    return os.open(path, flags | os.O_NOFOLLOW, 0o600)


def _without_links(path: str, flags: int) -> int:
    return os.open(path, flags | os.O_NOFOLLOW | os.O_NONBLOCK)  # nor wait for the other end of a pipe


def _opened(image: str) -> BufferedReader:
    """Open an image, and check the open file: its name may belong to another one a moment later."""
    try:
        file = open(image, "rb", opener=_without_links)  # noqa: SIM115 - its caller closes it
    except OSError as error:
        raise BadImage(f"{image} cannot be opened: {error.strerror}") from error
    status = os.fstat(file.fileno())
    if not stat.S_ISREG(status.st_mode):
        fault = "is no file"
    elif status.st_uid != os.geteuid() or status.st_mode & 0o022:
        fault = "belongs to another user, or others may write to it"
    else:
        return file
    file.close()
    raise BadImage(f"{image} {fault}")


def _entries(source: str) -> list[str]:
    """Return every path below *source*, parents before children; a trailing slash marks a directory."""
    paths = []
    for folder, folders, files in os.walk(source):
        inside = os.path.relpath(folder, source)
        prefix = "" if inside == "." else inside + "/"
        paths += [f"{prefix}{name}/" for name in folders]
        if inside not in EMPTY:
            paths += [prefix + name for name in files if name not in SKIPPED]
        folders[:] = [name for name in folders if name not in EMPTY]
    return paths


def _append(out: int, source: str, path: str) -> str:
    if path.endswith("/"):
        return f"0 0 {path}\n"
    checksum = length = 0
    with open(f"{source}/{path}", "rb", buffering=0) as file:
        while chunk := file.read(CHUNK):
            checksum = zlib.crc32(chunk, checksum)
            length += len(chunk)
            _write(out, memoryview(chunk))
    return f"{length} {checksum} {path}\n"


def _unpack_all(view: memoryview, target: str, owner: tuple[int, int] | None) -> None:
    position = len(MAGIC)
    for line in _table(view).decode().splitlines():
        length, checksum, path = line.split(" ", 2)
        end = position + int(length)
        content = view[position:end]
        if zlib.crc32(content) != int(checksum):
            raise BadImage(f"{path} is damaged")
        _create(f"{target}/{path}", content, owner)
        position = end


def _table(view: memoryview) -> bytes:
    offset, checksum, magic = FOOTER.unpack(view[-FOOTER.size :])
    table = bytes(view[offset : -FOOTER.size]) if offset < len(view) else b""
    if magic != MAGIC or zlib.crc32(table) != checksum:
        raise BadImage("its table of contents is damaged")
    return table


def _create(path: str, content: memoryview, owner: tuple[int, int] | None) -> None:
    if path.endswith("/"):
        os.mkdir(path, 0o700)
        if owner:
            os.chown(path, *owner)
        return
    file = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    try:
        _write(file, content)
        if owner:
            os.fchown(file, *owner)
    finally:
        os.close(file)


def _write(file: int, content: memoryview) -> None:
    while content:
        content = content[os.write(file, content) :]
