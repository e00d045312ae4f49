"""Actions on modules of others, as soon as a project imports them: nothing is imported for their sake."""

from __future__ import annotations

import sys
from collections.abc import Callable, Mapping, Sequence
from importlib.abc import MetaPathFinder
from importlib.machinery import ModuleSpec
from types import ModuleType
from typing import Any

Action = Callable[[ModuleType], None]


class OnImport(MetaPathFinder):
    """Runs an action on each of some modules: at once where it is imported already, else after its import.

    Args:
        actions: By the modules' names.
    """

    def __init__(self, actions: Mapping[str, Action]) -> None:
        self._actions = actions

    def install(self) -> None:
        """Begin."""
        for name, action in self._actions.items():
            if (module := sys.modules.get(name)) is not None:
                action(module)
        sys.meta_path.insert(0, self)

    def remove(self) -> None:
        """End; what the actions did stays."""
        if self in sys.meta_path:
            sys.meta_path.remove(self)

    def find_spec(
        self, fullname: str, path: Sequence[str] | None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        """Return the spec that the other finders have, with the action behind the execution of the module."""
        if fullname not in self._actions:
            return None
        for finder in sys.meta_path:
            find: Any = getattr(finder, "find_spec", None)
            if finder is self or find is None:
                continue
            spec: ModuleSpec | None = find(fullname, path, target)
            if spec is not None:
                _act_after(spec.loader, fullname, self._actions[fullname])
                return spec
        return None


def _act_after(loader: Any, name: str, action: Action) -> None:
    """Run *action* after *loader* has executed the module *name*, if that is the next one that it executes."""
    execute = getattr(loader, "exec_module", None)
    if execute is None or "exec_module" in vars(loader):  # an old kind of loader, or one that was asked before
        return

    def exec_module(module: ModuleType) -> None:
        del loader.exec_module
        execute(module)
        if module.__name__ == name:  # a loader of several modules may be asked for this one, and load another
            action(module)

    loader.exec_module = exec_module
