"""Actions on third-party modules, run as soon as a project imports them; no action imports a module itself."""

from __future__ import annotations

import sys
from collections.abc import Callable, Mapping, Sequence
from importlib.abc import MetaPathFinder
from importlib.machinery import ModuleSpec
from types import ModuleType
from typing import Any

Action = Callable[[ModuleType], None]


class OnImport(MetaPathFinder):
    """An import hook that runs an action on a module, at once if it is imported already, else later.

    Args:
        actions: The actions, by the modules' names.
    """

    def __init__(self, actions: Mapping[str, Action]) -> None:
        self._actions = actions

    def install(self) -> None:
        """Run the actions on the modules that are imported, and install the hook for the others."""
        for name, action in self._actions.items():
            if (module := sys.modules.get(name)) is not None:
                action(module)
        sys.meta_path.insert(0, self)

    def remove(self) -> None:
        """Remove the hook; the effects of the actions stay."""
        if self in sys.meta_path:
            sys.meta_path.remove(self)

    def find_spec(
        self, fullname: str, path: Sequence[str] | None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        """Return the spec that the other finders return, with the action added after the module's execution."""
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
    if execute is None or "exec_module" in vars(loader):  # an old kind of loader, or one that is wrapped already
        return

    def exec_module(module: ModuleType) -> None:
        del loader.exec_module
        execute(module)
        if module.__name__ == name:  # a loader of several modules may load another one first
            action(module)

    loader.exec_module = exec_module
