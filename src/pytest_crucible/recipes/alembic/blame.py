"""Which revision failed, where, and what PostgreSQL said."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator, Sequence
from pathlib import Path
from types import TracebackType

from ...errors import MigrationError
from ...errors.hints import chain

REVISION = re.compile(r"^revision(?:\s*:[^=\n]+)?\s*=\s*[\"']([^\"']+)[\"']", re.MULTILINE)


def blame(what: str, error: BaseException, root: Path, folders: Sequence[Path]) -> MigrationError:
    """The error for *what*, which failed with *error*.

    Args:
        what: The command.
        error: What it raised.
        root: File names are given relative to it.
        folders: Those of the revisions, and that of ``env.py``; the innermost frame in one of them is the culprit.
    """
    found = [place for place in _places(error) if any(folder in place[0].parents for folder in folders)]
    revision = _revision(found[-1][0]) if found else None
    where = f" at revision {revision}" if revision else ""
    where += f" ({os.path.relpath(found[-1][0], root)}, line {found[-1][1]})" if found else ""
    statement = _statement(error)
    blamed = MigrationError(
        f"{what} failed{where}: {_said(error)}",
        why=f"The statement was: {statement}" if statement else "",
        do="Correct it, and run the same on an empty database of your own: it fails there alike.",
    )
    blamed.revision = revision
    return blamed


def _revision(file: Path) -> str | None:
    """The revision that *file* says it is: where it cannot be imported, its text still tells."""
    match = REVISION.search(file.read_text("utf-8", "replace")) if file.is_file() else None
    return match[1] if match else None


def _places(error: BaseException) -> list[tuple[Path, int]]:
    """The places that the error went through, the innermost last."""
    found: list[tuple[Path, int]] = []
    for part in chain(error):
        found += _frames(part.__traceback__)
        if isinstance(part, SyntaxError) and part.filename:
            found.append((Path(part.filename).resolve(), part.lineno or 0))
    return found


def _frames(traceback: TracebackType | None) -> Iterator[tuple[Path, int]]:
    while traceback is not None:
        yield Path(traceback.tb_frame.f_code.co_filename).resolve(), traceback.tb_lineno
        traceback = traceback.tb_next


def _said(error: BaseException) -> str:
    """What the driver's own exception says, where there is one: SQLAlchemy's holds it, with more around it."""
    orig = getattr(error, "orig", None)
    told = orig.__cause__ or orig if isinstance(orig, BaseException) else error
    return f"{type(told).__name__}: {told}".strip()


def _statement(error: BaseException) -> str:
    statement = getattr(error, "statement", None)
    return statement.strip() if isinstance(statement, str) else ""
