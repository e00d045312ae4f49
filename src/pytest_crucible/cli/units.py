"""Ages and sizes in readable units."""

from __future__ import annotations

from datetime import datetime

from ..errors.counting import counted

AGES = ((86400, "day"), (3600, "hour"), (60, "minute"))
SIZES = ((10**9, "GB"), (10**6, "MB"), (10**3, "kB"))


def age(when: datetime, now: datetime) -> str:
    """Return how long before *now* the time *when* lies: ``3 days ago``."""
    seconds = (now - when).total_seconds()
    for length, word in AGES:
        if seconds >= length:
            count = int(seconds // length)
            return f"{counted(count, word)} ago"
    return "just now"


def size(count: int) -> str:
    """Return a number of bytes as ``41 MB``."""
    for length, word in SIZES:
        if count >= length:
            number = count / length
            return f"{number:.0f} {word}" if number >= 10 else f"{number:.1f} {word}"
    return f"{count} B"
