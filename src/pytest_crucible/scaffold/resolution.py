"""The check that drafted requirements can be resolved together, by the installer that the project uses."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from importlib.metadata import PackageNotFoundError, requires
from pathlib import Path

from packaging.requirements import InvalidRequirement, Requirement
from packaging.specifiers import SpecifierSet
from packaging.utils import canonicalize_name

from ..project.requirements import Requirement as Listed
from ..project.requirements import requirements
from ..project.survey import Finds
from .draft import Draft
from .requirements import RequirementList
from .workspace import members, uses_uv, workspace

LIMIT = 60.0
OURS = "pytest-crucible"
FILES = ("pyproject.toml", "uv.lock", "poetry.lock", "pdm.lock", "setup.cfg", "requirements*.txt", "requirements/*.txt")
# The interpreter that runs `crucible init`: the copy has no environment, and none shall be made or downloaded for it.
ENVIRONMENT = {"NO_COLOR": "1", "UV_PYTHON_DOWNLOADS": "never", "PDM_PYTHON": sys.executable}
CONFLICT = re.compile(
    r"conflicting dependencies|ResolutionImpossible|version solving failed|are incompatible|which conflicts"
    r"|requirements are unsatisfiable|unable to find a resolution",
    re.IGNORECASE,
)
# uv and Poetry say the same of a package that no index has; the index, not the requirement, is the cause then.
UNKNOWN = re.compile(
    r"not found in the package registry|No matching distribution|doesn't match any versions|no versions of"
    r"|Unable to find candidates"
)
FOR_DETAILS = "WARNING: Add '-v'"  # the last line of PDM


def installer(finds: Finds) -> str:
    """Return the installer that the project uses: ``uv``, ``poetry``, ``pdm`` or ``pip``."""
    root = finds.project.root
    locked = next((name for name in ("uv", "poetry", "pdm") if (root / f"{name}.lock").is_file()), None)
    kinds = {one.kind for one in finds.requirements}
    return locked or ("uv" if "uv" in kinds or uses_uv(root) else "poetry" if "poetry" in kinds else "pip")


def conflict(draft: Draft, finds: Finds, place: RequirementList) -> tuple[str, str]:
    """Return the reason why the drafted requirements cannot be resolved, and the reason why this was not checked."""
    name = installer(finds)
    if name != "pip" and shutil.which(name) is None:
        return "", f"{name} is not installed here"
    with tempfile.TemporaryDirectory(prefix="crucible-init-") as temporary:
        root = _copied(draft, Path(temporary))
        try:
            done = subprocess.run(
                _command(name, root, place), cwd=root, capture_output=True, text=True, check=False, timeout=LIMIT,
                env={**os.environ, **ENVIRONMENT}, stdin=subprocess.DEVNULL,
            )  # fmt: skip
        except subprocess.TimeoutExpired:
            return "", f"{name} took longer than {LIMIT:.0f} seconds"
    printed = (done.stderr or done.stdout).strip()
    if done.returncode == 0:
        return "", ""
    if CONFLICT.search(printed) and not UNKNOWN.search(printed):
        return printed, ""
    lines = [line for line in printed.splitlines() if not line.startswith(FOR_DETAILS)]
    return "", f"{name} could not resolve them here: {lines[-1] if lines else 'no reason given'}"


def _command(name: str, root: Path, place: RequirementList) -> list[str]:
    """Return the command that resolves the requirements of the copy; what is locked already stays where it can."""
    if name == "pip":
        return [sys.executable, "-m", "pip", "install", "--dry-run", "--quiet", "--retries", "0", *_lines(root, place)]
    reuse = ["--update-reuse"] if (root / "pdm.lock").is_file() else []
    words = {"uv": ["--python", sys.executable], "poetry": ["--no-interaction"], "pdm": reuse}
    return [name, "lock", *words[name]]


def to_raise(draft: Draft, place: RequirementList) -> str:
    """Return what to do about requirements that cannot be resolved: the pins that exclude what Crucible needs."""
    with tempfile.TemporaryDirectory(prefix="crucible-init-") as temporary:
        folder = _copied(draft, Path(temporary))
        listed = [one for one in _used(folder, place) if one.name != OURS and _is_valid(one.text)]
    needed = {str(canonicalize_name(one.name)): one for one in map(Requirement, _own())}
    pins = [
        f"{one.text} ({one.file.relative_to(folder).as_posix()}) to {one.name}{needed[one.name].specifier}"
        for one in listed
        if one.name in needed and not _can_meet(Requirement(one.text).specifier, needed[one.name].specifier)
    ]
    return f"raise {', '.join(pins) or 'what excludes the others there'}, and run `crucible init` again"


def _can_meet(*bounds: SpecifierSet) -> bool:
    """Return whether one of the versions that *bounds* name meets all of them."""
    versions = [each.version.rstrip(".*") for one in bounds for each in one] or ["1"]
    return any(all(one.contains(version, prereleases=True) for one in bounds) for version in versions)


def _copied(draft: Draft, folder: Path) -> Path:
    """Copy the files that declare requirements as they would be, those of a workspace too; return the project there."""
    top = workspace(draft.root) or draft.root
    places = {top, draft.root, *members(top)}
    paths = [path for place in places for pattern in FILES for path in place.glob(pattern)]
    planned = {change.path: change.after for change in draft.changes()}
    for path in {*paths, *planned}:
        place = folder / path.relative_to(top)
        text = planned.get(path, path.read_text("utf-8", "replace") if path.exists() else None)
        if text is not None and any(path.match(pattern) for pattern in FILES):
            place.parent.mkdir(parents=True, exist_ok=True)
            place.write_text(text, "utf-8")
    return folder / draft.root.relative_to(top)


def _lines(folder: Path, place: RequirementList) -> Sequence[str]:
    """Return the requirements of the project and its tests; Crucible's own for Crucible, which an index may lack."""
    texts = [one.text for one in _used(folder, place) if one.name != OURS]
    return [*filter(_is_valid, dict.fromkeys(texts)), *_own()]


def _used(folder: Path, place: RequirementList) -> list[Listed]:
    used = {("dependencies", ""), (place.kind, place.group)}
    return [one for one in requirements(folder) if (one.kind, one.group) in used or one.group == "requirements.txt"]


def _own() -> list[str]:
    try:
        return [line for line in requires(OURS) or () if "extra ==" not in line]
    except PackageNotFoundError:
        return ["pytest>=9.0"]


def _is_valid(text: str) -> bool:
    try:
        return not Requirement(text).url
    except InvalidRequirement:
        return False
