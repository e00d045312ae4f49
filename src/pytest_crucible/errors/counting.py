"""Numbers in messages, with their noun in the singular or the plural."""

from __future__ import annotations


def counted(number: int, noun: str) -> str:
    """Return *number* and *noun*: ``1 file``, ``2 files``."""
    return f"{number} {noun}{'' if number == 1 else 's'}"
