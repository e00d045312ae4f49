"""Projects inside a project: folders of a repository whose modules are imported, installed and tested there."""

from __future__ import annotations

from pathlib import Path

from ..errors import UsageError
from ..project.modules import Project
from ..project.survey import Finds, find
from .choices import is_on

SIGNS = ("pyproject.toml", "setup.py")
# Inside a package, requirements belong to its image, and not to a project.
OTHER_SIGNS = ("requirements.txt",)


def survey(project: Project) -> Finds:
    """Return the survey of *project* without the projects inside it.

    Raises:
        UsageError: If every application lies in one of these.
    """
    root = project.root
    homes = {module.path: _home(root, module.path) for module in project.modules}
    if set(homes.values()) <= {root}:
        return find(project)
    finds = find(Project(root, tuple(module for module in project.modules if homes[module.path] == root)))
    if not finds.applications and not finds.metadata and not is_on(finds):
        _refuse(find(project), homes)
    return finds


def _refuse(finds: Finds, homes: dict[Path, Path]) -> None:
    root = finds.project.root
    # A library with models is no place to run it, if there are applications.
    places = [one.place for one in finds.applications] or [one.place for one in finds.metadata]
    names = sorted({homes[place.file].relative_to(root).as_posix() for place in places} - {"."})
    if names:
        commands = " or ".join(f"`crucible init --root {name}`" for name in names)
        raise UsageError(
            f"The application lies in a project of its own: {', '.join(names)}.",
            why=f"It has a {', or a '.join([*SIGNS, *OTHER_SIGNS])}; its modules are not imported from {root}.",
            do=f"Run {commands}.",
        )


def _home(root: Path, file: Path) -> Path:
    """Return the root of the project that a file belongs to."""
    inside = [folder for folder in file.parents if root in folder.parents]
    return next((folder for folder in inside if _is_project(folder)), root)


def _is_project(folder: Path) -> bool:
    signs = SIGNS if (folder / "__init__.py").exists() else (*SIGNS, *OTHER_SIGNS)
    return any((folder / name).is_file() for name in signs)
