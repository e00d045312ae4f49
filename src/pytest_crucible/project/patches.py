"""Temporary replacement of class attributes."""

from __future__ import annotations

from typing import Any

_ABSENT = object()


class Patches:
    """Replaced attributes of classes, with their original values."""

    def __init__(self) -> None:
        self._were: list[tuple[type, str, Any]] = []

    def put(self, home: type, name: str, value: Any) -> None:
        """Replace the attribute *name* of *home*."""
        self._were.append((home, name, vars(home).get(name, _ABSENT)))
        setattr(home, name, value)

    def undo(self) -> None:
        """Restore every attribute, the last one first."""
        while self._were:
            home, name, was = self._were.pop()
            delattr(home, name) if was is _ABSENT else setattr(home, name, was)
