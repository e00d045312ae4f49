"""The copy of a project that a trial runs in, as deep below a temporary folder as the project is in its repository."""

from __future__ import annotations

import re
import shutil
from collections.abc import Iterable, Iterator
from pathlib import Path

from ..project.modules import is_skipped
from .draft import Draft

LARGEST = 5_000_000  # bytes of a file that is copied: sources are smaller, and data sets are not needed
ABSENT = re.compile(r"No such file or directory: '([^'\n]+)'")


class ProjectCopy:
    """The project as it would be, without its conftests, and the ``.env`` files of the folders above it.

    Args:
        draft: The planned files.
        place: The temporary folder.
    """

    def __init__(self, draft: Draft, place: Path) -> None:
        self._original = draft.root
        self._top = _top(draft.root)
        self._place = place.resolve() / self._top.name
        self.root = self._place / draft.root.relative_to(self._top)
        shutil.copytree(draft.root, self.root, ignore=_left_out, symlinks=True)
        for change in draft.changes():
            path = self.root / change.path.relative_to(draft.root)
            if change.after is None:
                path.unlink(missing_ok=True)
            elif path.name != "conftest.py":
                path.parent.mkdir(parents=True, exist_ok=True)
                path.write_text(change.after, "utf-8")
        for path in _above(draft.root, self._top):
            shutil.copy(path, self._place / path.relative_to(self._top))

    def translated(self, text: str) -> str:
        """Return *text* with the paths of the project instead of those of the copy."""
        return text.replace(str(self._place), str(self._top))

    def lacks(self, text: str) -> str | None:
        """Return the file that an error looks for, if the project finds it and the copy does not."""
        for name in ABSENT.findall(text):
            if (self._original / self.translated(name)).exists() and not (self.root / name).exists():
                return self.translated(name)
        return None

    def with_conftests(self) -> bool:
        """Put the conftests of the project into the copy, and return whether there is one."""
        places = {path: self.root / path.relative_to(self._original) for path in self._original.rglob("conftest.py")}
        there = {path: place for path, place in places.items() if place.parent.is_dir()}
        for path, place in there.items():
            shutil.copy(path, place)
        return bool(there)


def _left_out(folder: str, names: list[str]) -> Iterable[str]:
    paths = [Path(folder, name) for name in names]
    folders = [path.name for path in paths if path.is_dir() and is_skipped(path)]
    files = [path.name for path in paths if path.is_file() and path.stat().st_size > LARGEST]
    others = [path.name for path in paths if not path.is_dir() and not path.is_file()]  # sockets, broken links
    return {*folders, *files, *others, "conftest.py"}


def _top(root: Path) -> Path:
    """Return the folder of the repository above *root*; without one, the next folder above."""
    return next((folder for folder in root.parents if (folder / ".git").exists()), root.parent)


def _above(root: Path, top: Path) -> Iterator[Path]:
    """Yield the ``.env`` files of the folders above *root*, up to *top*."""
    for folder in root.parents:
        if folder == top or top in folder.parents:
            yield from (path for path in folder.glob(".env*") if path.is_file() and path.stat().st_size <= LARGEST)
