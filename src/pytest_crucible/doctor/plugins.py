"""Other plugins, and the project's own fixtures, that claim the same names."""

from __future__ import annotations

import ast
import re
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from ..project.suites import fixtures
from ..project.syntax import constant, last
from ..project.tree import Project, module_at
from ..settings import OPTIONS
from .case import Case
from .findings import Finding
from .machine import Plugin

OURS = "pytest-crucible"
CLAIMING = re.compile(r"addoption|addini|\bfixture\b|addinivalue_line")
# For the user to replace.
MEANT = {"auth_scheme", "client_options", "current_user_dependency", "faker_seed", "test_user"}


@dataclass(frozen=True)
class Claims:
    """The names that a plugin takes: flags, keys, markers and fixtures."""

    flags: frozenset[str]
    keys: frozenset[str]
    markers: frozenset[str]
    fixtures: frozenset[str]


def claimed(plugin: Plugin) -> Claims:
    """What a plugin's files claim, read and not imported."""
    return _claims(plugin.files)


@cache
def _claims(files: tuple[Path, ...]) -> Claims:
    found: dict[str, set[str]] = defaultdict(set)
    for path in files:
        for kind, name in _in_file(path):
            found[kind].add(name)
    return Claims(*(frozenset(found[kind]) for kind in ("flag", "key", "marker", "fixture")))


def _in_file(path: Path) -> Iterator[tuple[str, str]]:
    try:
        source = path.read_text("utf-8", "replace")
    except OSError:
        return
    if not CLAIMING.search(source) or "pytest" not in source:
        return
    module = module_at(path.parent, path)
    yield from (("fixture", fixture.name) for fixture in fixtures(Project(path.parent, (module,))))
    for node in ast.walk(module.tree):
        if isinstance(node, ast.Call):
            yield from _of_call(node)


def _of_call(call: ast.Call) -> Iterator[tuple[str, str]]:
    words = [value for value in map(constant, call.args) if isinstance(value, str)]
    name = last(call.func)
    if name == "addoption":
        yield from (("flag", word) for word in words if word.startswith("--"))
    elif name == "addini" and words:
        yield "key", words[0]
    elif name == "addinivalue_line" and words[:1] == ["markers"] and len(words) > 1:
        yield "marker", re.split(r"[(:\s]", words[1])[0]


def our_names() -> frozenset[str]:
    """The fixtures of Crucible that a test may ask for."""
    folder = Path(__file__).parents[1] / "fixtures"
    claims = _claims(tuple(sorted(folder.glob("*.py"))))
    return frozenset(name for name in claims.fixtures if not name.startswith("crucible_"))


def clashes(case: Case) -> Iterator[Finding]:
    """Two plugins with the same flag or key: pytest does not start; with the same fixture: one of them is hidden."""
    claims = {plugin.name: claimed(plugin) for plugin in case.machine.plugins if plugin.name != OURS}
    claims[OURS] = Claims(*_our_options(), frozenset({"crucible"}), our_names())
    for name, owners in _shared(claims, "flags"):
        yield Finding(
            f"{' and '.join(owners)} both define the option {name}.",
            "pytest stops before it collects a test: “option names already added”.",
            "Uninstall one of them, or switch one off: -p no:NAME (the names: pytest --trace-config).",
            severity="error",
        )
    for name, owners in _shared(claims, "keys"):
        yield Finding(
            f"{' and '.join(owners)} both define the configuration key {name}.",
            "Both read what is set; the one that is loaded last decides its type and default.",
            "Uninstall one of them, or switch one off: -p no:NAME (the names: pytest --trace-config).",
        )
    for name, owners in _shared(claims, "markers"):
        yield Finding(
            f"{' and '.join(owners)} both act on the marker {name}.",
            "A test that carries it gets both meanings.",
            "Switch the one that you do not mean off: -p no:NAME.",
        )
    for name, owners in _shared(claims, "fixtures"):
        if OURS in owners and case.settings.on:
            yield _hidden_fixture(name, [owner for owner in owners if owner != OURS])


def _hidden_fixture(name: str, others: list[str]) -> Finding:
    return Finding(
        f"{' and '.join(others)} and Crucible both have a fixture {name}.",
        "Crucible's wins, since it is registered last.",
        f"Where the other one is meant, switch Crucible's name off by a fixture {name} of your own in conftest.py.",
    )


def _our_options() -> tuple[frozenset[str], frozenset[str]]:
    return frozenset(option.flag for option in OPTIONS), frozenset(option.name for option in OPTIONS)


def _shared(claims: dict[str, Claims], kind: str) -> Iterator[tuple[str, list[str]]]:
    owners: dict[str, list[str]] = defaultdict(list)
    for plugin, claim in claims.items():
        for name in getattr(claim, kind):
            owners[name].append(plugin)
    yield from sorted((name, sorted(who)) for name, who in owners.items() if len(who) > 1)


def shadowed(case: Case) -> Iterator[Finding]:
    """A fixture of the project's with a name of Crucible's: it wins."""
    names = our_names() - MEANT if case.settings.on else frozenset()
    for fixture in case.fixtures:
        if fixture.name in names and fixture.name not in fixture.arguments:
            yield Finding(
                f"The fixture {fixture.name} takes the place of Crucible's.",
                "A fixture of the project always wins, as everywhere in pytest.",
                "Delete it if Crucible's does; keep it if it is meant.",
                case.where(fixture.module),
                fixture.node.lineno,
            )
