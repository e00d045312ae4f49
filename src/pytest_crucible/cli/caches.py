"""``crucible gc --cache``: the removal of files in the cache that no run has used for some days."""

from __future__ import annotations

import argparse
import shutil
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from ..server.cache import image_folder, spare_folder
from ..server.embedded import copies
from ..server.private import owned
from ..server.supervisor import images
from . import units

DAY = 86400.0


@dataclass(frozen=True)
class Part:
    """A file or a folder of the cache."""

    path: Path
    used: float
    size: int

    def remove(self) -> None:
        """Remove the file or the folder."""
        if self.path.is_dir():
            shutil.rmtree(self.path, ignore_errors=True)
        else:
            self.path.unlink(missing_ok=True)


def clean(options: argparse.Namespace) -> int:
    """Remove damaged images, and images and copies of PostgreSQL's programs that no run has used for some days."""
    before = time.time() - options.days * DAY
    freed = 0
    for part in _parts():
        if part.used <= before or part.path.suffix == ".damaged":
            part.remove()
            freed += part.size
            print(f"removed {part.path} ({units.size(part.size)})")
    print(f"freed {units.size(freed)}")
    return 0


def _parts() -> Iterator[Part]:
    for folder in dict.fromkeys([image_folder(None), spare_folder()]):
        images.clear(str(folder))
        for file, status in images.files(str(folder)):
            # A run is saving this image now: keep it.
            if not file.endswith(images.STAGE):
                yield Part(Path(file), status.st_mtime, status.st_size)
    for place in copies.places():
        for own in owned(place):
            for copy in own.glob(copies.COPIES.format("*")):
                yield Part(copy, copy.stat().st_mtime, _size(copy))


def _size(folder: Path) -> int:
    return sum(path.lstat().st_size for path in folder.rglob("*") if path.is_file())
