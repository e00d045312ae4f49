"""Locations in a project's files, with the dotted paths by which options name them."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True, slots=True)
class SourceLocation:
    """The location of a named object in a file.

    Attributes:
        path: The dotted path, ``"app.main:app"``; the function's path for an object inside a function.
        file: The file, absolute.
        line: Its line, from 1.
    """

    path: str
    file: Path
    line: int

    @property
    def module(self) -> str:
        """The part of the path before the colon."""
        return self.path.partition(":")[0]

    @property
    def name(self) -> str:
        """The part of the path after the colon."""
        return self.path.partition(":")[2]

    def where(self, root: Path) -> str:
        """Return ``app/main.py:12``, as editors and terminals open it."""
        file = self.file.relative_to(root) if self.file.is_relative_to(root) else self.file
        return f"{file.as_posix()}:{self.line}"
