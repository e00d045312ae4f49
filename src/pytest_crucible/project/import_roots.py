"""The folders that a project's modules are imported from."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from ..settings.files import toml
from .pytest_configuration import configuration


def tops(root: Path) -> tuple[Path, ...]:
    """Return the folders below *root* that are on the import path, the innermost first, and *root* last.

    They are ``src``, the folders of pytest's ``pythonpath``, and those that the build backend takes packages from.

    Raises:
        UsageError: If a file that configures the project cannot be parsed.
    """
    pyproject = root / "pyproject.toml"
    named = ["src", *configuration(root).words("pythonpath"), *_built(toml(pyproject) if pyproject.is_file() else {})]
    folders = {(root / name).resolve() for name in named}
    below = [
        folder
        for folder in folders
        if root in folder.parents and folder.is_dir() and not (folder / "__init__.py").exists()
    ]
    return (*sorted(below, key=lambda folder: -len(folder.parts)), root)


def _built(document: dict[str, Any]) -> Iterator[str]:
    """Yield the folders of packages that Poetry, setuptools and Hatch are configured with."""
    tool = document.get("tool", {})
    yield from (package["from"] for package in tool.get("poetry", {}).get("packages", ()) if "from" in package)
    setuptools = tool.get("setuptools", {})
    yield from filter(None, [setuptools.get("package-dir", {}).get("")])
    packages = setuptools.get("packages", {})
    yield from packages.get("find", {}).get("where", ()) if isinstance(packages, dict) else ()
    wheel = tool.get("hatch", {}).get("build", {}).get("targets", {}).get("wheel", {})
    yield from (str(Path(package).parent) for package in wheel.get("packages", ()))
