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

from ..project.requirements import Requirement as Listed
from ..project.survey import Finds
from . import suite
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
ALWAYS = ("pytest", "pytest-crucible", "httpx")
LISTED = ("polyfactory", "pytest-cov", "pytest-mock", "pytest-xdist", "testcontainers")  # raised, and never added
BY_RUNNER = {"asyncio": ("pytest-asyncio",), "anyio": ("anyio",), "sync": ("pytest-asyncio", "httpx2")}
OURS = "pytest-crucible"
ASYNCIO = "pytest-asyncio"
SUITE = ("pytest", ASYNCIO, OURS)
PIP_OF_GROUPS = "25.1"
LOWER = (">=", "~=", "==", "===", ">")
GROUPS = ("test", "tests", "testing", "dev")


def wanted(choices: Choices, there: Iterable[str] = (), *, mode: bool = False) -> dict[str, str]:
    """Return each distribution that the tests need, with its lowest version.

    A suite that exists needs Crucible, and versions of what it lists that pytest 9 admits.
    """
    if choices.has_suite:
        needed = {OURS, *([ASYNCIO] if mode else [])}
        return {name: _lowest(name) for name in SUITE if name in needed or name in there}
    names = [*ALWAYS, *BY_RUNNER[choices.runner], *(name for name in LISTED if name in there)]
    return {name: _lowest(name) for name in sorted(names)}


def place_of(finds: Finds, ask: Questions) -> RequirementList:
    """Return the list of the project that the requirements of the tests go to."""
    places = _places(finds)
    return places[ask.choose("Several places list requirements of the tests", [str(one) for one in places])]


def require(draft: Draft, finds: Finds, choices: Choices, place: RequirementList) -> None:
    """Put the requirements into *draft*."""
    there = {one.name for one in finds.requirements if place.holds(one, choices)}
    place.add(draft, wanted(choices, there, mode=not _lists(finds, ASYNCIO) and suite.relies_on_auto_mode(finds)))


def has_asyncio(finds: Finds, choices: Choices) -> bool:
    """Return whether pytest-asyncio will be installed with the requirements: strict pytest refuses its options else.

    What is installed here counts only where the requirements of the tests are unknown: in setup.py, for instance.
    """
    if not choices.has_suite or _lists(finds, ASYNCIO) or suite.relies_on_auto_mode(finds):
        return True
    is_needless = _lists(finds, "pytest") and not suite.has_async_tests(finds)
    return not is_needless and is_installed(ASYNCIO)


def is_installed(name: str) -> bool:
    """Return whether a distribution is installed; of a plugin that is not, files of pytest may be left."""
    try:
        version(name)
    except PackageNotFoundError:
        return False
    return True


def _lists(finds: Finds, name: str) -> bool:
    return any(one.name == name for one in finds.requirements)


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

    def holds(self, one: Listed, choices: Choices) -> bool:
        """Return whether a requirement of the project counts as listed here; for new tests, each one does."""
        return not choices.has_suite or (one.file, one.kind, one.group) == (self.file, self.kind, self.group)

    def commands(self, installer: str) -> str:
        """Return the commands that install the requirements and run the tests."""
        group = self.group
        by_uv = {"optional": f"uv sync --extra {group}", "file": f"uv pip install -r {group}"}
        by_pip = {
            "dependencies": "pip install -e .",
            "optional": f"pip install -e '.[{group}]'",
            "group": f"{_pip_update()}pip install --group {group}",
            "file": f"pip install -r {group}",
        }
        if installer == "uv":
            return f"{by_uv.get(self.kind, f'uv sync --group {group}' if group else 'uv sync')}, then: uv run pytest"
        if installer == "poetry":
            return f"poetry lock && poetry install --with {group}, then: poetry run pytest"
        if installer == "pdm":
            return f"pdm install -G {group}, then: pdm run pytest"
        return f"{by_pip.get(self.kind, 'uv sync')}, then: pytest"

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
            there.get(name, (name,))[0]: _for_poetry(there.get(name, ("", None))[1], lowest)
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
            one.specifier = _raised(one.specifier, needed[name])
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
    """Return whether *there* admits no supported version: neither the oldest, nor the installed, nor a later one."""
    versions = [MINIMUM[name], _lowest(name), *(one.version.rstrip(".*") for one in there)]
    return not any(
        Version(each) >= Version(MINIMUM[name]) and there.contains(each, prereleases=True) for each in versions
    )


def _raised(there: SpecifierSet, lowest: str) -> SpecifierSet:
    """Return a bound that admits *lowest*, with the upper bounds that do so, too."""
    kept = [str(one) for one in there if one.operator in ("<", "<=", "!=") and one.contains(lowest, prereleases=True)]
    return SpecifierSet(",".join([f">={lowest}", *kept]))


def _for_poetry(old: object, lowest: str) -> object:
    """Return a bound in the form of the old one: with a caret, or in a table."""
    if isinstance(old, dict):
        return {**old, "version": _for_poetry(old.get("version"), lowest)}
    return f"^{lowest}" if str(old).startswith("^") else f">={lowest}"


def _poetry(value: object) -> SpecifierSet:
    """Return Poetry's ``^8.2`` and the like as pip's specifiers."""
    text = str(value.get("version", "*") if isinstance(value, dict) else value).strip()
    try:
        if text.startswith("^"):
            lower = Version(text[1:])
            return SpecifierSet(f">={lower},<{lower.major + 1 if lower.major else f'0.{lower.minor + 1}'}")
        return SpecifierSet("" if text == "*" else f"=={text}" if text[:1].isdigit() else text)
    except ValueError:
        return SpecifierSet()


def _pip_update() -> str:
    """Return the command that updates pip, where this environment's pip does not know dependency groups."""
    try:
        return "pip install -U pip && " if Version(version("pip")) < Version(PIP_OF_GROUPS) else ""
    except PackageNotFoundError:
        return ""


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
