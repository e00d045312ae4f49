"""The remains of servers whose supervisors have died: their folders, and the processes that still run in them."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from .folders import nests
from .supervisor import cleanup, nest


@dataclass(frozen=True)
class Remains:
    """The remains of one server.

    Attributes:
        folder: Its nest.
        process: The number of the process that still runs in it; 0 if none does.
    """

    folder: str
    process: int = 0


def remains() -> Iterator[Remains]:
    """Yield what dead supervisors of this user have left; the next server that starts removes it."""
    for parent in nests():
        for folder in nest.debris(parent):
            first = cleanup.read(f"{folder}/data/postmaster.pid").partition("\n")[0]
            number = int(first) if first.isdigit() else 0
            yield Remains(folder, number if number and cleanup.runs_in(number, folder) else 0)


def remove_remains() -> list[Remains]:
    """Remove the remains of all dead servers, end what still runs in them, and return them."""
    found = list(remains())
    for parent in nests():
        nest.sweep(parent)
    return found
