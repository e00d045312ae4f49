"""Configuration files, parsed with the libraries that pytest parses them with."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import iniconfig  # pytest depends on it and on tomli: Crucible reads files exactly as pytest does

from ..errors import UsageError


def toml(file: Path) -> dict[str, Any]:
    """Return the plain values of a TOML file.

    Raises:
        UsageError: If it cannot be parsed.
    """
    # Imported only here: a project without pyproject.toml has no need of it.
    if sys.version_info >= (3, 11):
        import tomllib
    else:
        import tomli as tomllib

    try:
        document: dict[str, Any] = tomllib.loads(file.read_text("utf-8"))
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise UsageError(f"{file} is not TOML: {error}.", do="Correct the line; no tool can read the file.") from error
    return document


def sections(file: Path) -> Iterator[tuple[str, dict[str, str]]]:
    """Yield the sections of an INI file by name.

    Raises:
        UsageError: If it cannot be parsed.
    """
    try:
        parsed = iniconfig.IniConfig(str(file))
    except (iniconfig.ParseError, UnicodeDecodeError) as error:
        raise UsageError(f"{file} cannot be parsed: {error}.", do="Correct the line: pytest cannot read it.") from error
    yield from ((section.name, dict(section.items())) for section in parsed)


def string_in(file: Path | None, name: str) -> str | None:
    """Return the option *name* in pytest's table of a TOML *file*, if its value is one string.

    pytest itself accepts no string for an option that takes a list.
    """
    document = toml(file) if file is not None else {}
    table = document.get("pytest") or document.get("tool", {}).get("pytest", {})
    value = table.get(name)
    return value if isinstance(value, str) else None
