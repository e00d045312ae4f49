"""The functions that request a fixture by its name, as pytest resolves it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from .fixtures import Fixture
from .modules import Module, Project
from .syntax import Function, functions_of, parameters


def requesters(project: Project, fixtures: Sequence[Fixture], fixture: Fixture) -> Iterator[tuple[Module, Function]]:
    """Yield the tests and fixtures that have *fixture* as an argument, each with its module."""
    same = [one for one in fixtures if one.name == fixture.name]
    for module in project.tests:
        if module.mentions(fixture.name) and _nearest(same, module) is fixture:
            for function in functions_of(module.tree):
                if fixture.name in parameters(function) and function is not fixture.node:
                    yield module, function


def _nearest(fixtures: Sequence[Fixture], module: Module) -> Fixture | None:
    """Return the one of *fixtures*, all of one name, that functions of *module* get; None if they get none."""
    near = [(_nearness(one.module, module), number, one) for number, one in enumerate(fixtures)]
    best = max((each for each in near if each[0] >= 0), default=None)
    return best[2] if best else None


def _nearness(owner: Module, module: Module) -> int:
    """Return how near the fixtures of *owner* are to *module*; negative if they are not visible there."""
    if owner is module:
        return 1000
    if owner.path.name == "conftest.py":
        return len(owner.path.parent.parts) if owner.path.parent in module.path.parents else -1
    return 0 if not owner.path.name.startswith("test_") else -1  # a module of fixtures, loaded as a plugin
