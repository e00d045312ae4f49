"""Runs at the start of each Python process of an environment in which pytest-crucible is installed.

The file ``pytest_crucible_child.pth`` imports it where one environment variable says that tests have started the
process. Then every SQLAlchemy engine of the process leads to the databases of those tests, as it does in the tests'
own process. Nothing is imported for that before SQLAlchemy is.
"""

from __future__ import annotations

import os
import sys

TYPE_CHECKING = False
if TYPE_CHECKING:
    from importlib.machinery import ModuleSpec
    from types import ModuleType
    from typing import Any


class Finder:
    """Finds SQLAlchemy as the other finders do, and has the redirect installed as soon as it is imported."""

    def find_spec(self, name: str, path: Any = None, target: Any = None) -> ModuleSpec | None:
        """Return SQLAlchemy's spec; nothing for any other module."""
        if name != "sqlalchemy":
            return None
        withdraw()
        for finder in sys.meta_path:
            find_spec = getattr(finder, "find_spec", None)
            spec: ModuleSpec | None = find_spec and find_spec(name, path, target)
            if spec is not None and spec.loader is not None:
                _follow(spec.loader)
                return spec
        return None


FINDER: Any = Finder()
# Names the parent's socket, in the environment of every child.
VARIABLE = "PYTEST_CRUCIBLE_PARENT"
# As it was at the start: a program may change its environment.
PARENT = os.environ.get(VARIABLE, "")


def _follow(loader: Any) -> None:
    execute = loader.exec_module

    def exec_module(module: ModuleType) -> None:
        del loader.exec_module
        execute(module)
        _begin()

    loader.exec_module = exec_module


def _begin() -> None:
    from pytest_crucible.worker.children.begin import begin

    begin(PARENT)


def withdraw() -> None:
    """Stop acting as a child process: this process is about to run tests, with databases of its own."""
    if FINDER in sys.meta_path:
        sys.meta_path.remove(FINDER)
    begun = sys.modules.get("pytest_crucible.worker.children.begin")
    if begun is not None:
        begun.withdraw()


def resume() -> None:
    """Act as a child process again."""
    if PARENT and "sqlalchemy" in sys.modules:
        _begin()
    elif PARENT:
        sys.meta_path.insert(0, FINDER)


resume()
