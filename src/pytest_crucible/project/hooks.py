"""The hooks of the tests' conftest files, and the methods around unittest's tests, with the traits of each."""

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
# Those of unittest's classes.
AROUND_CLASS = {"setUpClass", "tearDownClass"}
AROUND_METHOD = {"setUp", "tearDown", "asyncSetUp", "asyncTearDown"}
METHODS = AROUND_CLASS | AROUND_METHOD


@dataclass(frozen=True)
class Hook:
    """A hook of pytest in a conftest, or a method that unittest calls around its tests.

    Attributes:
        name: Its name; of a method, behind that of its class.
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
        return self.name.rpartition(".")[2] in AROUND_TEST | AROUND_METHOD

    @property
    def is_method(self) -> bool:
        """True if it is a method of a class of unittest."""
        return "." in self.name

    @property
    def last(self) -> int:
        """The number of its last line."""
        return self.node.end_lineno or self.node.lineno


def hooks(project: Project) -> Iterator[Hook]:
    """Yield the hooks around the session and around each test that a conftest defines."""
    for module in project.tests:
        for node in module.top() if module.path.name == "conftest.py" else ():
            if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef) and node.name in HOOKS:
                yield _hook(module, node, node.name)


def methods(project: Project) -> Iterator[Hook]:
    """Yield the methods that unittest calls around the tests of a class."""
    for module in project.tests:
        if module.mentions("setUp", "tearDown", "SetUp", "TearDown"):
            for owner in (node for node in module.top() if isinstance(node, ast.ClassDef)):
                for node in owner.body:
                    if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef) and node.name in METHODS:
                        yield _hook(module, node, f"{owner.name}.{node.name}")


def _hook(module: Module, node: Function, name: str) -> Hook:
    line = min(one.lineno for one in (node, *node.decorator_list))
    place = SourceLocation(f"{module.name}:{name}", module.path, line)
    return Hook(name, place, module, frozenset(traits(module, node)), node)
