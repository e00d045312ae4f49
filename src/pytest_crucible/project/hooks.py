"""The hooks of the tests' conftest files, with the traits of each."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from dataclasses import dataclass, field

from .fixtures import traits
from .location import SourceLocation
from .modules import Module, Project
from .syntax import Function

# Those that run around the session or around each test, and may prepare a database.
AROUND_SESSION = {"pytest_configure", "pytest_unconfigure", "pytest_sessionstart", "pytest_sessionfinish"}
AROUND_TEST = {"pytest_runtest_setup", "pytest_runtest_teardown"}
HOOKS = AROUND_SESSION | AROUND_TEST


@dataclass(frozen=True)
class Hook:
    """A hook of pytest in a conftest.

    Attributes:
        name: Its name.
        place: The function, as a dotted path, with the line of its first decorator.
        module: The module that defines it.
        traits: The operations in its body, as `Fixture` has them.
        node: The function.
    """

    name: str
    place: SourceLocation
    module: Module
    traits: frozenset[str]
    node: Function = field(repr=False, compare=False)

    @property
    def is_per_test(self) -> bool:
        """True if pytest calls it for each test."""
        return self.name in AROUND_TEST

    @property
    def last(self) -> int:
        """The number of its last line."""
        return self.node.end_lineno or self.node.lineno


def hooks(project: Project) -> Iterator[Hook]:
    """Yield the hooks around the session and around each test that a conftest defines."""
    for module in project.tests:
        for node in module.top() if module.path.name == "conftest.py" else ():
            if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef) and node.name in HOOKS:
                line = min(one.lineno for one in (node, *node.decorator_list))
                place = SourceLocation(f"{module.name}:{node.name}", module.path, line)
                yield Hook(node.name, place, module, frozenset(traits(module, node)), node)
