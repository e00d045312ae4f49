"""The requirements of a project, from every file that declares some."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from packaging.utils import canonicalize_name

from ..settings.files import toml

NAME = re.compile(r"\s*([A-Za-z0-9][A-Za-z0-9._-]*)")

Kind = Literal["dependencies", "optional", "group", "poetry", "uv", "file"]


@dataclass(frozen=True)
class Requirement:
    """One requirement.

    Attributes:
        name: The distribution, normalised: ``pytest-asyncio``.
        text: The text in the file: ``"pytest_asyncio>=1.1"``; Poetry's as ``"pytest-asyncio ^1.1"``.
        file: The file that declares it.
        kind: ``"dependencies"`` of the project, an ``"optional"`` extra, a dependency ``"group"``, Poetry's, uv's own
            list, or a requirements ``"file"``.
        group: The extra's or the group's name, or the file's; empty for the project's own dependencies.
    """

    name: str
    text: str
    file: Path
    kind: Kind
    group: str = ""


def requirements(root: Path) -> list[Requirement]:
    """Return those of ``pyproject.toml`` (its groups and extras, Poetry's too) and of every ``requirements*.txt``."""
    pyproject = root / "pyproject.toml"
    files = sorted([*root.glob("requirements*.txt"), *root.glob("requirements/*.txt")])
    return [
        *(_pyproject(pyproject) if pyproject.is_file() else ()),
        *(requirement for file in files for requirement in _file(root, file)),
    ]


def _pyproject(file: Path) -> Iterator[Requirement]:
    document = toml(file)
    project, tool = document.get("project", {}), document.get("tool", {})
    yield from _listed(project.get("dependencies", []), file, "dependencies", "")
    for group, lines in project.get("optional-dependencies", {}).items():
        yield from _listed(lines, file, "optional", group)
    for group, lines in document.get("dependency-groups", {}).items():
        yield from _listed(lines, file, "group", group)
    yield from _listed(tool.get("uv", {}).get("dev-dependencies", []), file, "uv", "dev")
    poetry = tool.get("poetry", {})
    yield from _poetry(poetry.get("dependencies", {}), file, "")
    yield from _poetry(poetry.get("dev-dependencies", {}), file, "dev")
    for group, table in poetry.get("group", {}).items():
        yield from _poetry(table.get("dependencies", {}), file, group)


def _listed(lines: Iterable[Any], file: Path, kind: Kind, group: str) -> Iterator[Requirement]:
    for line in lines:
        if isinstance(line, str) and (match := NAME.match(line)):
            yield Requirement(canonicalize_name(match[1]), line, file, kind, group)


def _poetry(table: dict[str, Any], file: Path, group: str) -> Iterator[Requirement]:
    for name, value in table.items():
        first = value[0] if isinstance(value, list) and value else value  # a list has one entry per Python version
        version = first.get("version", "*") if isinstance(first, dict) else first
        extras = ",".join(first.get("extras", ())) if isinstance(first, dict) else ""
        if name != "python":
            text = f"{name}{extras and f'[{extras}]'} {version}"
            yield Requirement(canonicalize_name(name), text, file, "poetry", group)


def _file(root: Path, file: Path) -> Iterator[Requirement]:
    lines = (line.partition(" #")[0].strip() for line in file.read_text("utf-8", "replace").splitlines())
    named = [line for line in lines if line and not line.startswith(("#", "-"))]
    yield from _listed(named, file, "file", file.relative_to(root).as_posix())
