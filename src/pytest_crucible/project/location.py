"""Where something stands, and the dotted path by which an option names it."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True, slots=True)
class SourceLocation:
    """Something with a name, in a file.

    Attributes:
        path: The dotted path, ``"app.main:app"``; of something inside a function, the function's.
        file: The file, absolute.
        line: Its line, from 1.
    """

    path: str
    file: Path
    line: int

    @property
    def module(self) -> str:
        """What stands before the colon."""
        return self.path.partition(":")[0]

    @property
    def name(self) -> str:
        """What stands after the colon."""
        return self.path.partition(":")[2]

    def where(self, root: Path) -> str:
        """``app/main.py:12``, as editors and terminals open it."""
        file = self.file.relative_to(root) if self.file.is_relative_to(root) else self.file
        return f"{file.as_posix()}:{self.line}"
