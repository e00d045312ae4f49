"""The error for a failed migration: its revision, its line, and PostgreSQL's message."""

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
    """Return the error for *what*, which failed with *error*.

    Args:
        what: The command.
        error: The error that it raised.
        root: The folder that file names are relative to.
        folders: Those of the revisions, and that of ``env.py``; the innermost frame in one of them is the culprit.
    """
    lines = [line for line in _lines(error) if any(folder in line[0].parents for folder in folders)]
    revision = _revision(lines[-1][0]) if lines else None
    where = f" at revision {revision}" if revision else ""
    where += f" ({os.path.relpath(lines[-1][0], root)}, line {lines[-1][1]})" if lines else ""
    statement = _statement(error)
    blamed = MigrationError(
        f"{what} failed{where}: {_message(error)}",
        why=f"The statement was: {statement}" if statement else "",
        do="Correct it. The same command fails in the same way on an empty database of your own.",
    )
    blamed.revision = revision
    return blamed


def _revision(file: Path) -> str | None:
    """Return the revision that the text of *file* names; the file may be one that cannot be imported."""
    match = REVISION.search(file.read_text("utf-8", "replace")) if file.is_file() else None
    return match[1] if match else None


def _lines(error: BaseException) -> list[tuple[Path, int]]:
    """Return the files and lines that the error went through, the innermost last."""
    lines: list[tuple[Path, int]] = []
    for part in chain(error):
        lines += _frames(part.__traceback__)
        if isinstance(part, SyntaxError) and part.filename:
            lines.append((Path(part.filename).resolve(), part.lineno or 0))
    return lines


def _frames(traceback: TracebackType | None) -> Iterator[tuple[Path, int]]:
    while traceback is not None:
        yield Path(traceback.tb_frame.f_code.co_filename).resolve(), traceback.tb_lineno
        traceback = traceback.tb_next


def _message(error: BaseException) -> str:
    """Return the message of the driver's own exception, if SQLAlchemy's wraps one: it is shorter."""
    orig = getattr(error, "orig", None)
    innermost = orig.__cause__ or orig if isinstance(orig, BaseException) else error
    return f"{type(innermost).__name__}: {innermost}".strip()


def _statement(error: BaseException) -> str:
    statement = getattr(error, "statement", None)
    return statement.strip() if isinstance(statement, str) else ""
