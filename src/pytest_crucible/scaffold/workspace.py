"""The workspace of uv that a project belongs to: its lock lies in a folder above."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from ..errors import UsageError
from ..settings.files import toml


def uses_uv(root: Path) -> bool:
    """Return whether a project without a lock of its own is one of uv: a member, or one with uv's own sources."""
    return workspace(root) is not None or not _of_uv(root).keys().isdisjoint({"sources", "workspace"})


def workspace(root: Path) -> Path | None:
    """Return the folder above *root* whose workspace has it as a member; not outside of the repository."""
    for folder in (root, *root.parents):
        if folder != root and root in members(folder):
            return folder
        if (folder / ".git").exists():
            break
    return None


def members(folder: Path) -> list[Path]:
    """Return the members of the workspace whose root is *folder*."""
    table = _of_uv(folder).get("workspace", {})
    excluded = set(_matched(folder, table.get("exclude", [])))
    return [path for path in _matched(folder, table.get("members", [])) if path not in excluded]


def _matched(folder: Path, patterns: list[str]) -> Iterator[Path]:
    for pattern in patterns:
        yield from (path for path in folder.glob(pattern) if (path / "pyproject.toml").is_file())


def _of_uv(folder: Path) -> dict[str, Any]:
    try:
        return dict(toml(folder / "pyproject.toml").get("tool", {}).get("uv", {}))
    except (OSError, UsageError):  # a file above that cannot be read is none of the project's
        return {}
