"""Changes of files, which are shown as a diff and written together or not at all."""

from __future__ import annotations

import codecs
import difflib
import io
import os
import shutil
import tempfile
from collections.abc import Iterable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from ..errors import UsageError


@dataclass(frozen=True)
class FileChange:
    """One file, before and after.

    Attributes:
        path: The file, absolute.
        before: Its text; None if it does not exist yet.
        after: Its new text; None to delete it.
    """

    path: Path
    before: str | None
    after: str | None

    def diff(self, root: Path) -> str:
        """Return a unified diff in the format of ``git diff`` and ``patch``."""
        name = self.path.relative_to(root).as_posix()
        if not self.before and not self.after:
            return f"{'new' if self.before is None else 'deleted'}, empty: {name}\n"
        lines = difflib.unified_diff(
            (self.before or "").splitlines(keepends=True),
            (self.after or "").splitlines(keepends=True),
            "/dev/null" if self.before is None else f"a/{name}",
            "/dev/null" if self.after is None else f"b/{name}",
        )
        return "".join(line if line.endswith("\n") else f"{line}\n\\ No newline at end of file\n" for line in lines)


class Draft:
    """The planned files of a project; nothing is written before `write`.

    Args:
        root: The project's root folder.
    """

    def __init__(self, root: Path) -> None:
        self.root = root
        self._before: dict[Path, str | None] = {}
        self._after: dict[Path, str | None] = {}

    def read(self, path: Path) -> str | None:
        """Return the planned text of a file, with plain line ends; None if there is none."""
        if path not in self._after:
            self._before[path] = self._after[path] = _text(path)
        return self._after[path]

    def put(self, path: Path, text: str | None) -> None:
        """Set the planned text of a file; None to delete it."""
        self.read(path)
        self._after[path] = text

    def changes(self) -> list[FileChange]:
        """Return the changes, the files at the root first."""
        found = [
            FileChange(path, before, self._after[path])
            for path, before in self._before.items()
            if before != self._after[path]
        ]
        return sorted(found, key=lambda change: (len(change.path.parts), change.path))


def write(changes: Iterable[FileChange]) -> None:
    """Write all changes: every new text is on the disk before the first file is replaced.

    Raises:
        UsageError: If a file cannot be written; no file has been changed then.
    """
    changes = list(changes)
    with _staged(changes) as ready:
        for path, text in ready.items():
            text.replace(path)
    for change in changes:
        if change.after is None:
            change.path.unlink()


class _staged:  # noqa: N801 # a context manager, used as a function
    def __init__(self, changes: list[FileChange]) -> None:
        self._changes = changes
        self._ready: dict[Path, Path] = {}
        self._made: list[Path] = []

    def __enter__(self) -> dict[Path, Path]:
        try:
            for change in self._changes:
                if change.after is not None:
                    self._made += _folders(change.path.parent)
                    path = change.path.resolve()  # a link stays a link
                    self._ready[path] = _stage(path, change.after)
        except OSError as error:
            self.__exit__()
            raise UsageError(
                f"{change.path} cannot be written: {error.strerror}.",
                why="Nothing has been changed: all new files are prepared before the first is replaced.",
                do="Make the folder writable, and run `crucible init` again.",
            ) from error
        return self._ready

    def __exit__(self, *error: object) -> None:
        for text in self._ready.values():
            text.unlink(missing_ok=True)
        for folder in reversed(self._made):
            with suppress(OSError):  # not empty: written files stay
                folder.rmdir()


def _folders(folder: Path) -> Iterator[Path]:
    missing = [place for place in (folder, *folder.parents) if not place.exists()]
    for place in reversed(missing):
        place.mkdir()
        yield place


def _stage(path: Path, text: str) -> Path:
    number, name = tempfile.mkstemp(prefix=f".{path.name}.", dir=path.parent)
    ready = Path(name)
    before = path.read_bytes() if path.exists() else b""
    with os.fdopen(number, "wb") as file:
        file.write(_like(before, text))
    if path.exists():
        shutil.copymode(path, ready)
    else:
        mask = os.umask(0)
        os.umask(mask)
        ready.chmod(0o666 & ~mask)
    return ready


def _text(path: Path) -> str | None:
    try:
        return path.read_text("utf-8-sig")  # with universal line ends, and without a mark of byte order
    except FileNotFoundError:
        return None
    except UnicodeDecodeError as error:
        raise UsageError(
            f"{path} is not UTF-8: {error}.", do="Save it as UTF-8, and run `crucible init` again."
        ) from error


def _like(before: bytes, text: str) -> bytes:
    """Return *text* with the line ends and the byte order mark of *before*; unchanged lines keep their own end."""
    lines = [line.encode() for line in io.StringIO(text, newline="\n")]
    old = before.removeprefix(codecs.BOM_UTF8).splitlines(keepends=True)
    plain = [line.removesuffix(b"\r\n") + b"\n" if line.endswith(b"\r\n") else line for line in old]
    ends = b"\r\n" if b"\r\n" in before else b"\n"
    found = [line.removesuffix(b"\n") + ends if line.endswith(b"\n") else line for line in lines]
    for mine, theirs, count in difflib.SequenceMatcher(None, lines, plain, autojunk=False).get_matching_blocks():
        found[mine : mine + count] = old[theirs : theirs + count]
    return (codecs.BOM_UTF8 if before.startswith(codecs.BOM_UTF8) else b"") + b"".join(found)
