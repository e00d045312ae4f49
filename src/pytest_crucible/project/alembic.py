"""Alembic in a project: its configuration and its folder."""

from __future__ import annotations

import ast
import configparser
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from ..settings.files import toml
from .modules import Module, Project
from .names import full, origin
from .syntax import assigned, calls, keyword


@dataclass(frozen=True)
class AlembicEnvironment:
    """One Alembic environment.

    Attributes:
        config: The value for ``crucible_alembic``: ``alembic.ini``, or ``pyproject.toml`` with ``[tool.alembic]``.
        folder: The script directory, absolute, whether it exists or not.
        versions: The files of its revisions.
    """

    config: Path
    folder: Path
    versions: tuple[Path, ...]

    @property
    def env(self) -> Path:
        """The path of its ``env.py``."""
        return self.folder / "env.py"


def migrations(root: Path) -> list[AlembicEnvironment]:
    """Return the environments that ``alembic.ini``, in *root* or a folder of it, or ``pyproject.toml`` sets up."""
    environments = [
        _environment(file, script)
        for file in sorted([*root.glob("*alembic*.ini"), *root.glob("*/alembic.ini")])
        for script in _ini(file)
    ]
    pyproject = root / "pyproject.toml"
    script = _toml(pyproject) if pyproject.is_file() else None
    return [*environments, _environment(pyproject, script)] if script else environments


def targets(project: Project, environment: AlembicEnvironment) -> list[str]:
    """Return the full names of the objects whose metadata is the ``target_metadata`` of an ``env.py``."""
    module = next((module for module in project.modules if module.path == environment.env), None)
    if module is None or not module.mentions("target_metadata"):
        return []
    tops = dict(filter(None, map(assigned, module.top())))
    values = [tops.get("target_metadata"), *(keyword(call, "target_metadata") for call in calls(module.tree))]
    names = [name for value in values if value is not None for name in _targets(project, module, tops, value)]
    return list(dict.fromkeys(names))


def _targets(project: Project, module: Module, tops: dict[str, ast.expr], value: ast.expr) -> Iterator[str]:
    if isinstance(value, ast.List | ast.Tuple | ast.Dict):
        for one in value.values if isinstance(value, ast.Dict) else value.elts:
            yield from _targets(project, module, tops, one)
    elif isinstance(value, ast.Name) and value.id in tops:
        if tops[value.id] is not value and value.id != "target_metadata":
            yield from _targets(project, module, tops, tops[value.id])
    elif isinstance(value, ast.Name | ast.Attribute):
        dotted = origin(project, full(module, value))
        yield from dict.fromkeys((dotted, origin(project, dotted.removesuffix(".metadata"))))


def _ini(file: Path) -> list[str]:
    parser = configparser.ConfigParser(interpolation=None, strict=False)
    try:
        parser.read_string(file.read_text("utf-8", "replace"))
    except configparser.Error:
        return []
    return [parser[section]["script_location"] for section in parser.sections() if "script_location" in parser[section]]


def _toml(file: Path) -> str | None:
    table = toml(file).get("tool", {}).get("alembic", {})
    script = table.get("script_location") if isinstance(table, dict) else None
    return script if isinstance(script, str) else None


def _environment(file: Path, script: str) -> AlembicEnvironment:
    folder = _folder(file.parent, script)
    return AlembicEnvironment(file, folder, tuple(sorted((folder / "versions").glob("*.py"))))


def _folder(beside: Path, script: str) -> Path:
    """Return the folder of a ``script_location``: a path with ``%(here)s``, or in a package (``app:migrations``)."""
    script = script.replace("%(here)s", str(beside)).replace("%%", "%")
    package, colon, rest = script.partition(":")
    if not colon or not all(part.isidentifier() for part in package.split(".")):
        return (beside / script).resolve()
    inside = Path(*package.split("."), rest)
    return next((beside / top / inside for top in ("", "src") if (beside / top / inside).is_dir()), beside / inside)
