"""The configuration of pytest that is in effect in a folder: the file, its kind, and the values.

pytest takes the first of `FILES` that counts, and ignores the others silently. ``pytest.toml`` and ``pytest.ini`` count
even when they are empty; the other files count only with a section for pytest
(https://docs.pytest.org/en/stable/reference/customize.html#initialization-determining-rootdir-and-configfile).
"""

from __future__ import annotations

import shlex
from collections.abc import Mapping
from dataclasses import dataclass, field
from itertools import chain
from pathlib import Path
from typing import Any, Literal

from ..settings.files import sections, toml

FILES = ("pytest.toml", ".pytest.toml", "pytest.ini", ".pytest.ini", "pyproject.toml", "tox.ini", "setup.cfg")
# Further files that mark a project's root folder.
SIGNS = (*FILES, "setup.py", "requirements.txt")

Kind = Literal["toml", "ini", "none"]


@dataclass(frozen=True)
class Configuration:
    """The configuration of pytest.

    Attributes:
        file: The file, absolute; None if no file configures pytest.
        kind: ``"toml"`` for native values, ``"ini"`` for strings (``[tool.pytest.ini_options]`` too), or ``"none"``.
        table: The table or section: ``"tool.pytest"``, ``"tool.pytest.ini_options"``, ``"pytest"``, ``"tool:pytest"``.
        values: The values, as the file has them.
        ignored: Further files with a configuration for pytest, which it does not read.
    """

    file: Path | None
    kind: Kind
    table: str
    values: Mapping[str, Any] = field(default_factory=dict)
    ignored: tuple[Path, ...] = ()

    def text(self, name: str) -> str | None:
        """Return a value as one string; None if it is not set."""
        value = self.values.get(name)
        return None if value is None else " ".join(map(str, value)) if isinstance(value, list) else str(value)

    def words(self, name: str) -> list[str]:
        """Return a value that is split as a shell does it (``addopts``, ``testpaths``)."""
        value = self.values.get(name, [])
        return [str(word) for word in value] if isinstance(value, list) else shlex.split(str(value))


def root_of(folder: Path) -> Path:
    """Return the root of the project that *folder* lies in.

    It is the nearest folder whose configuration mentions pytest, since pytest searches in the same way; else the
    nearest folder with a file of `SIGNS`; else *folder* itself.
    """
    above = (folder, *folder.parents)
    marked = (place for place in above if any((place / name).is_file() for name in SIGNS))
    return next(chain(filter(_mentions_pytest, above), marked), folder)


def _mentions_pytest(folder: Path) -> bool:
    files = (folder / name for name in FILES)
    return any("pytest" in file.read_text("utf-8", "replace") for file in files if file.is_file())


def configuration(root: Path) -> Configuration:
    """Return the configuration that pytest 9.2 uses in *root*; the folders above it are not searched.

    Raises:
        UsageError: If a file cannot be parsed; pytest would not start either.
    """
    existing = (root / name for name in FILES if (root / name).is_file())
    configurations = [configuration for file in existing if (configuration := _read(file))]
    if not configurations:
        return Configuration(None, "none", "")
    first, *others = configurations
    return Configuration(
        first.file, first.kind, first.table, first.values, tuple(other.file for other in others if other.file)
    )


def _read(file: Path) -> Configuration | None:
    if file.name == "pyproject.toml":
        return _pyproject(file)
    if file.suffix == ".toml":
        return Configuration(file, "toml", "pytest", toml(file).get("pytest", {}))
    section = "tool:pytest" if file.suffix == ".cfg" else "pytest"
    values = dict(sections(file)).get(section)
    if values is not None:
        return Configuration(file, "ini", section, values)
    return Configuration(file, "ini", section) if file.name.endswith("pytest.ini") else None


def _pyproject(file: Path) -> Configuration | None:
    table = toml(file).get("tool", {}).get("pytest", {})
    native = {key: value for key, value in table.items() if key != "ini_options"}
    if native:
        return Configuration(file, "toml", "tool.pytest", native)
    if "ini_options" in table:
        return Configuration(file, "ini", "tool.pytest.ini_options", table["ini_options"])
    return None
