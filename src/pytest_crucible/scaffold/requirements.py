"""The requirements of the tests, added where the project lists its requirements."""

from __future__ import annotations

from collections.abc import Iterable
from functools import cache
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

from packaging.requirements import InvalidRequirement, Requirement
from packaging.specifiers import SpecifierSet
from packaging.utils import canonicalize_name
from packaging.version import Version

from ..project import Finds
from . import toml_file as toml
from .choices import Choices
from .draft import Draft
from .questions import Questions

# The oldest supported versions; a newer installed version is required instead.
MINIMUM = {
    "pytest": "9.0",
    "pytest-crucible": "0.1.0.dev0",
    "pytest-asyncio": "1.1",
    "anyio": "4.5",
    "pytest-cov": "7.0",
    "pytest-xdist": "3.8",
    "pytest-mock": "3.14",
    "httpx": "0.27",
    "httpx2": "2.0",
    "polyfactory": "3.0",
    "testcontainers": "4.9",
}
ALWAYS = ("pytest", "pytest-crucible", "pytest-cov", "pytest-xdist", "pytest-mock", "httpx", "polyfactory")
BY_RUNNER = {"asyncio": ("pytest-asyncio",), "anyio": ("anyio",), "sync": ("pytest-asyncio", "httpx2")}
LOWER = (">=", "~=", "==", "===", ">")
GROUPS = ("test", "tests", "testing", "dev")


def wanted(choices: Choices, there: Iterable[str] = ()) -> dict[str, str]:
    """Return each distribution that the tests need, with its lowest version."""
    names = [*ALWAYS, *BY_RUNNER[choices.runner], *(["testcontainers"] if "testcontainers" in there else [])]
    return {name: _lowest(name) for name in sorted(names)}


def require(draft: Draft, finds: Finds, choices: Choices, ask: Questions) -> str:
    """Put the requirements into *draft*, and return the command that installs them."""
    places = _places(finds)
    place = places[ask.choose("Several places list requirements of the tests", [str(one) for one in places])]
    needed = wanted(choices, {one.name for one in finds.requirements})
    place.add(draft, needed)
    return place.command


class RequirementList:
    """A list of requirements in a file of the project.

    Args:
        root: The project's root folder.
        file: The file.
        kind: ``"optional"``, ``"group"``, ``"poetry"``, ``"uv"`` or ``"file"``, as a `project.Requirement` has it.
        group: The extra's, the group's or the file's name.
    """

    def __init__(self, root: Path, file: Path, kind: str, group: str) -> None:
        self.root, self.file, self.kind, self.group = root, file, kind, group

    def __str__(self) -> str:
        words = {"optional": f"extra {self.group!r}", "file": "", "dependencies": "dependencies"}
        return f"{self.file.relative_to(self.root)} {words.get(self.kind, f'group {self.group!r}')}".strip()

    @property
    def command(self) -> str:
        """The command that installs the requirements."""
        return {
            "dependencies": "pip install -e .",
            "optional": f"pip install -e '.[{self.group}]'",
            "group": f"pip install --group {self.group}",
            "poetry": f"poetry install --with {self.group}",
            "uv": "uv sync",
        }.get(self.kind, f"pip install -r {self.group}")

    def add(self, draft: Draft, needed: dict[str, str]) -> None:
        """Add missing requirements and raise those that are too old; keep everything else."""
        if self.kind == "file":
            draft.put(self.file, _lines(draft.read(self.file) or "", needed))
        elif self.kind == "poetry":
            self._add_to_poetry(draft, needed)
        else:
            self._add_to_list(draft, needed)

    @property
    def _table(self) -> tuple[str, str]:
        if self.kind == "dependencies":
            return "project", "dependencies"
        if self.kind == "uv":
            return "tool.uv", "dev-dependencies"
        return {"optional": "project.optional-dependencies", "group": "dependency-groups"}[self.kind], self.group

    def _add_to_list(self, draft: Draft, needed: dict[str, str]) -> None:
        table, key = self._table
        text = draft.read(self.file) or ""
        there = toml.read(text, table, key) or []
        missing, raised = _compare([word for word in there if isinstance(word, str)], needed)
        if not there:
            draft.put(self.file, toml.change(text, table, {key: missing}))
        elif missing or raised:
            draft.put(self.file, toml.extend(text, table, key, missing, instead_of=raised))

    def _add_to_poetry(self, draft: Draft, needed: dict[str, str]) -> None:
        text = draft.read(self.file) or ""
        old = self.group == "dev" and toml.read(text, "tool.poetry.dev-dependencies") is not None
        table = "tool.poetry.dev-dependencies" if old else f"tool.poetry.group.{self.group}.dependencies"
        there = {str(canonicalize_name(name)): (name, value) for name, value in (toml.read(text, table) or {}).items()}
        values = {
            there.get(name, (name,))[0]: f">={lowest}"
            for name, lowest in needed.items()
            if name not in there or _is_too_old(_poetry(there[name][1]), name)
        }
        draft.put(self.file, toml.change(text, table, values) if values else text)


def _places(finds: Finds) -> list[RequirementList]:
    """Return the lists that already contain the project's test requirements, or a suitable one."""
    root = finds.project.root
    testing = [one for one in finds.requirements if one.name in ("pytest", "pytest-crucible")]
    found = {(one.file, one.kind, one.group): one for one in testing if one.group or one.kind == "dependencies"}
    groups = list(found) or [
        (one.file, one.kind, one.group) for one in finds.requirements if one.group in GROUPS and one.kind != "file"
    ]
    places = [RequirementList(root, *group) for group in dict.fromkeys(groups)]
    places.sort(key=lambda place: (place.kind == "dependencies", place.group not in GROUPS))
    return places or [_new(finds)]


def _new(finds: Finds) -> RequirementList:
    root = finds.project.root
    pyproject = root / "pyproject.toml"
    kinds = {one.kind for one in finds.requirements}
    files = [one.group for one in finds.requirements if one.kind == "file"]
    if pyproject.is_file() and (not files or kinds != {"file"}):
        kind = "poetry" if "poetry" in kinds else "optional" if "optional" in kinds else "group"
        return RequirementList(root, pyproject, kind, "test")
    name = next((name for name in files if "dev" in name or "test" in name), "requirements-dev.txt")
    return RequirementList(root, root / name, "file", name)


def _compare(there: list[str], needed: dict[str, str]) -> tuple[list[str], dict[str, str]]:
    """Return the requirements to add, and the replacements of lines by new ones."""
    parsed = {line: one for line in there if (one := _parse(line)) is not None}
    names = {canonicalize_name(one.name) for one in parsed.values()}
    raised = {}
    for line, one in parsed.items():
        name = canonicalize_name(one.name)
        if name in needed and not one.url and _is_too_old(one.specifier, name):
            one.specifier = SpecifierSet(f">={needed[name]}")
            raised[line] = str(one)
    return [f"{name}>={lowest}" for name, lowest in needed.items() if name not in names], raised


def _lines(text: str, needed: dict[str, str]) -> str:
    """Return a requirements file with missing requirements added, and those that are too old replaced."""
    bare = {line: line.partition(" #")[0].strip() for line in text.splitlines()}
    missing, raised = _compare([word for word in bare.values() if not word.startswith(("#", "-"))], needed)
    lines = [line.replace(bare[line], raised.get(bare[line], bare[line]), 1) for line in text.splitlines()]
    return "\n".join([*lines, *missing]) + "\n"


def _parse(line: str) -> Requirement | None:
    try:
        return Requirement(line)
    except InvalidRequirement:
        return None


def _is_too_old(there: SpecifierSet, name: str) -> bool:
    """Return whether *there* is a bound that admits a version older than the oldest supported one."""
    bounds = [Version(one.version) for one in there if one.operator in LOWER and "*" not in one.version]
    return len(there) > 0 and max(bounds, default=Version("0")) < Version(MINIMUM[name])


def _poetry(value: object) -> SpecifierSet:
    text = str(value.get("version", "*") if isinstance(value, dict) else value)
    version_ = text.lstrip("^~>=v ").partition(",")[0]
    try:
        return SpecifierSet(f">={Version(version_)}")
    except ValueError:
        return SpecifierSet()


@cache
def _lowest(name: str) -> str:
    minimum = Version(MINIMUM[name])
    try:
        there = Version(version(name))
    except (PackageNotFoundError, ValueError):
        return str(minimum)
    if there.is_prerelease and there.release >= minimum.release:
        return there.public  # exact: pip ignores a pre-release if the bound is a release
    is_newer = there.release[:2] > minimum.release[:2] and not there.is_prerelease
    return f"{there.major}.{there.minor}" if is_newer else str(minimum)
