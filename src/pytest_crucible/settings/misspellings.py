"""Refusal of options that nothing reads: a misspelt key, variable or flag, or a table named after Crucible.

Everything here runs at the start of each pytest run in an environment with this plugin. So a file is parsed only if
its text looks as if it named an option.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

from ..errors import CrucibleError, UsageError
from .option import Option
from .table import OPTIONS

PREFIX = "crucible_"
# The names of pytest's tables and sections.
READ = ("tool.pytest", "tool.pytest.ini_options", "pytest", "tool:pytest")
# Names that a user may give to a table of Crucible, which does not exist.
OWN = r"(tool[.:])?(pytest[-_.])?crucible"
# The variables that belong to the machine, and to no project.
VARIABLES = ("CRUCIBLE_CACHE", "CRUCIBLE_POSTGRES")


def refuse_keys(root: Path, file: Path | None, overrides: Iterable[str] = ()) -> None:
    """Refuse keys of configuration files that misspell an option, or that stand in a wrong table."""
    for text in overrides:
        _refuse_misspelt(text.partition("=")[0].strip(), "--override-ini")
    for path in dict.fromkeys([file or root / "pyproject.toml", root / "pyproject.toml"]):
        for table, keys in _tables(path):
            for key in keys:
                if table in READ:
                    _refuse_misspelt(key, f"[{table}] of {path.name}")
                elif option := _misplaced(table, key):
                    raise _in_a_wrong_table(option, key, table, path)


def refuse_variables(environ: Mapping[str, str]) -> None:
    """Refuse variables of the environment that misspell one of Crucible's."""
    known = {*VARIABLES, *(option.env for option in OPTIONS)}
    for name in environ:
        if name.startswith("CRUCIBLE_") and name not in known:
            meant = _closest(name, known, cutoff=0.8)
            if meant:
                raise _misspelt(name, "the environment", meant)


def refuse_flags(unknown: Iterable[str]) -> None:
    """Refuse flags, *unknown* to pytest and its plugins, that misspell one of Crucible's."""
    for word in unknown:
        name = word.partition("=")[0]
        meant = _closest(name, [option.flag for option in OPTIONS]) if name.startswith("--") else None
        if meant:
            raise _misspelt(name, "the command line", meant)


def looks_like_one(arguments: Iterable[str]) -> bool:
    """Return whether any of *arguments* may be a flag of Crucible, misspelt or not."""
    return any(word.startswith("--") and _is_like_one(word) for word in arguments)


def _refuse_misspelt(key: str, place: str) -> None:
    names = [option.name for option in OPTIONS]
    if _is_like_one(key) and key not in names and (meant := _closest(key, names)):
        raise _misspelt(key, place, meant)


def _closest(name: str, known: Iterable[str], *, cutoff: float = 0.7) -> str | None:
    """Return the one of *known* that is probably meant, compared without the prefix that all share."""
    from difflib import get_close_matches  # imported only here: most runs do not need it

    plain = {_plain(word): word for word in known}
    rest = _plain(name)
    # A misspelt prefix, as in cruicble_seed, is compared too.
    close = get_close_matches(rest, plain, n=1, cutoff=cutoff)
    if not close:
        whole = {PREFIX + word: word for word in plain}
        close = [whole[match] for match in get_close_matches(rest, whole, n=1, cutoff=0.85)]
    return plain[close[0]] if close else None


def _plain(name: str) -> str:
    return name.lower().lstrip("-").replace("-", "_").removeprefix("pytest_").removeprefix(PREFIX)


def _misplaced(table: str, key: str) -> Option | None:
    """Return the option that *key* names in *table*, which is not one of pytest's; None if it names none."""
    is_own = re.fullmatch(OWN, table) is not None
    return next((option for option in OPTIONS if key == option.name or (is_own and key == option.field)), None)


def _tables(file: Path) -> Iterator[tuple[str, Mapping[str, Any]]]:
    """Yield the tables of *file* with their names, if the file may name an option of Crucible."""
    try:
        text = file.read_text("utf-8")
    except (OSError, UnicodeDecodeError):
        return
    if not _is_like_one(text):
        return
    from .files import sections, toml

    try:
        yield from _nested("", toml(file)) if file.suffix == ".toml" else sections(file)
    except CrucibleError:
        return  # pytest reports the error itself, if it reads this file


def _nested(name: str, table: Mapping[str, Any]) -> Iterator[tuple[str, Mapping[str, Any]]]:
    yield name, table
    for key, value in table.items():
        if isinstance(value, dict):
            yield from _nested(f"{name}.{key}" if name else key, value)


def _misspelt(name: str, place: str, meant: str) -> UsageError:
    return UsageError(
        f"{name} in {place} is no option of Crucible.",
        why=f"Probably {meant} is meant. Nothing reads this one.",
        do=f"Write {meant}.",
    )


def _in_a_wrong_table(option: Option, key: str, table: str, file: Path) -> UsageError:
    return UsageError(
        f"{key} stands in [{table}] of {file.name}, where nothing reads it.",
        why="Crucible has no table of its own: its options are options of pytest.",
        do=f"Write {option.name} in [tool.pytest] of pyproject.toml, or in the table where pytest's own options stand.",
    )


def _is_like_one(text: str) -> bool:
    """Return whether *text* resembles the name of an option."""
    lower = text.lower()  # of a whole configuration file, at the start of every run
    return "cru" in lower or "cibl" in lower
