"""Temporary replacement of attributes of classes and modules."""

from __future__ import annotations

from typing import Any

_ABSENT = object()


class Patches:
    """Replaced attributes of classes and modules, with their original values."""

    def __init__(self) -> None:
        self._replaced: list[tuple[Any, str, Any, Any]] = []

    def put(self, home: Any, name: str, value: Any) -> None:
        """Replace the attribute *name* of *home*."""
        self._replaced.append((home, name, vars(home).get(name, _ABSENT), value))
        setattr(home, name, value)

    def undo(self) -> None:
        """Restore every attribute, the last one first; leave those that other code has replaced since."""
        while self._replaced:
            home, name, original, value = self._replaced.pop()
            if vars(home).get(name) is value:
                delattr(home, name) if original is _ABSENT else setattr(home, name, original)
