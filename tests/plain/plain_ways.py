"""The ways in which each project is run, and which of them a suite that must be quick takes."""

from __future__ import annotations

import itertools
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

try:
    import tomllib
except ImportError:  # Python 3.10
    import tomli as tomllib

PROJECTS = Path(__file__).parent / "projects"
ISOLATIONS = ("reset", "rollback", "clone")
LOOPS = ("function", "session")
ORDERS = ("forward", "reversed")
WARNINGS = ("error", "default")


@dataclass(frozen=True)
class Way:
    """One way to run a project."""

    isolation: str
    driver: str
    loops: str
    order: str
    warnings: str
    processes: str = "one"

    def __str__(self) -> str:
        return "-".join(asdict(self).values())

    def plain(self) -> Way:
        """Return the way in which it is run under plain pytest for this one."""
        return replace(self, isolation="none", warnings="error", processes="one")

    def loop_scopes(self) -> list[str]:
        """Return the arguments for pytest that say on which loops fixtures and tests run."""
        return [f"-oasyncio_default_{what}_loop_scope={self.loops}" for what in ("fixture", "test")]

    def arguments(self) -> list[str]:
        """Return the other arguments for pytest on Crucible's side."""
        warnings = ["-W", "error"] if self.warnings == "error" else []
        return warnings + (["-n", "2"] if self.processes == "two" else [])

    def has(self, values: dict[str, str]) -> bool:
        """Return whether all *values*, by the names of their axes, are of this way."""
        return all(getattr(self, axis) == value for axis, value in values.items())


def projects() -> list[str]:
    """Return the names of all projects."""
    return sorted(path.parent.name for path in PROJECTS.glob("*/pyproject.toml"))


def axes(name: str) -> dict[str, Any]:
    """Return the values of the axes for the project *name*: the defaults, and what its ``[tool.plain]`` sets.

    ``slow`` leaves it to the slow tier, and ``workers`` says whether outcomes in workers of pytest-xdist compare with
    those in one process.
    """
    text = (PROJECTS / name / "pyproject.toml").read_text("utf-8")
    default = {"isolations": ISOLATIONS, "loops": ["function"], "slow": False, "workers": True}
    return {**default, **tomllib.loads(text)["tool"]["plain"]}


def product(name: str) -> list[Way]:
    """Return all ways of the project *name* in one process.

    Order and warnings act on no other axis: they change from way to way, and from project to project.
    """
    own, shift = axes(name), projects().index(name)
    values = itertools.product(own["isolations"], own["drivers"], own["loops"])
    return [
        Way(*value, ORDERS[(number.bit_count() + shift) % 2], WARNINGS[(number + shift) // 2 % 2])
        for number, value in enumerate(values)
    ]


def every_way(name: str) -> list[Way]:
    """Return the ways of the slow tier: all in one process, and one in two processes."""
    ways = product(name)
    if not axes(name)["workers"]:
        return ways
    return [*ways, replace(ways[projects().index(name) * 7 % len(ways)], warnings="error", processes="two")]


def pairs(way: Way) -> set[Any]:
    """Return each pair of values of two axes in *way*."""
    return set(itertools.combinations(asdict(way).items(), 2))


def chosen_ways() -> dict[str, Way]:
    """Return one way for each project of the quick tier, so that each pair of values of two axes occurs.

    Not those with two processes, which take long to start.
    """
    chosen: dict[str, Way] = {}
    covered: set[Any] = set()
    for number, name in enumerate(name for name in projects() if not axes(name)["slow"]):
        ways = product(name)
        shift = number * 3 % len(ways)  # of several that are as good, not always the first
        rotated = [*ways[shift:], *ways[:shift]]
        candidates = [replace(way, order=o, warnings=w) for way, o, w in itertools.product(rotated, ORDERS, WARNINGS)]
        chosen[name] = max(candidates, key=lambda way: len(pairs(way) - covered))
        covered |= pairs(chosen[name])
    return chosen
