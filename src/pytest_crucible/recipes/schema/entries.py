"""The entries of ``crucible_schema``: each names a callable, or SQL scripts by file, folder or glob."""

from __future__ import annotations

import glob
import os
import re
from collections.abc import Iterable
from pathlib import Path

from ...errors import UsageError
from ...settings import Settings
from ...settings.checks import is_path_of_callable

NUMBERS = r"(\d+)"
# The second half of a pair that undoes the first: golang-migrate, sqlx and others write NAME.up.sql and NAME.down.sql.
UNDOING = ".down.sql"

_Key = list[tuple[str, int]]


def scripts_of(entry: str, settings: Settings) -> list[Path]:
    """Return the SQL scripts that *entry* names, in the order in which they run.

    Numbers in names are compared as numbers: ``V2__b.sql`` comes before ``V10__a.sql``.

    Raises:
        UsageError: If it matches none.
    """
    named = settings.root / entry
    if named.is_file():
        return [named]
    pattern = os.path.join(entry, "*.sql") if named.is_dir() else entry  # noqa: PTH118 - a pattern, not a path
    # Path.glob takes no absolute pattern, and the scripts may be in a repository beside this one.
    names = glob.glob(pattern, root_dir=settings.root, recursive=True)  # noqa: PTH207
    paths = [settings.root / name for name in sorted(names, key=_order) if not name.endswith(UNDOING)]
    files = [path for path in paths if path.is_file()]
    if files:
        return files
    raise _no_file(entry, settings)


def all_scripts(settings: Settings) -> list[Path]:
    """Return every SQL script of *settings*, in the order in which they run, each once.

    Raises:
        UsageError: If an entry matches none.
    """
    return [path for entry in settings.schema if not is_path_of_callable(entry) for path in scripts_of(entry, settings)]


def steps(settings: Settings) -> list[str | list[Path]]:
    """Return the steps that make the schema: the path of a callable, or scripts that run one after the other."""
    seen: set[Path] = set()
    result: list[str | list[Path]] = []
    for entry in settings.schema:
        if is_path_of_callable(entry):
            result.append(entry)
            continue
        new = [path for path in dict.fromkeys(scripts_of(entry, settings)) if path not in seen]
        seen.update(new)
        last = result[-1] if result else None
        if isinstance(last, list):
            last += new
        else:
            result.append(new)
    return result


def shown(path: Path, root: Path) -> str:
    """Return *path* relative to *root*, as messages and the fingerprint name it."""
    return Path(os.path.relpath(path, root)).as_posix()


def _order(name: str) -> tuple[str, _Key, _Key]:
    folder, _, file = name.rpartition("/")
    # Flyway writes V1__a.sql and V1_1__b.sql: the version comes before the double underscore.
    return folder, _natural(file.removesuffix(".sql").partition("__")[0]), _natural(file)


def _natural(name: str) -> _Key:
    parts = re.split(NUMBERS, name)
    return [(part, 0) if number % 2 == 0 else ("", int(part)) for number, part in enumerate(parts)]


def _no_file(entry: str, settings: Settings) -> UsageError:
    option = settings.option_of(entry)
    folder = _nearest(settings.root / entry)
    there = sorted(path.name for path in folder.iterdir() if not path.name.startswith("."))
    listed = _listing(there)
    return UsageError(
        f"{option}: no file matches {entry!r} in {settings.root}.",
        why=f"{folder} contains {listed}. An entry is a file, a folder or a glob, relative to the project's root"
        " folder; ** crosses folders.",
        do='Correct the entry: crucible_schema = ["db/schema.sql"] names a file, ["db/migrations/*.sql"] several, and'
        ' "tests.schema:build" a callable.',
    )


def _nearest(path: Path) -> Path:
    """Return the innermost folder on the way to *path* that exists."""
    return next(folder for folder in (path, *path.parents) if folder.is_dir())


def _listing(names: Iterable[str], limit: int = 10) -> str:
    listed = list(names)
    more = f" and {len(listed) - limit} more" if len(listed) > limit else ""
    return f"{', '.join(listed[:limit])}{more}" if listed else "nothing"
