"""Scopes of drawn data: a test, or a wide fixture during its setup."""

from __future__ import annotations

from collections.abc import Callable, Hashable
from dataclasses import dataclass, field
from typing import Any, ClassVar

from ..errors import UsageError
from ..project.patches import Patches


class Seen(dict[Hashable, set[Hashable]]):
    """The values drawn for unique columns in one scope, by the columns."""

    # The scopes whose rows exist: those that run, and the wide fixtures that are set up.
    alive: ClassVar[list[Seen]] = []


@dataclass(eq=False)
class FactoryScope:
    """A test or a wide fixture that draws data.

    Attributes:
        id: The name that its data is seeded by, beside the seed: pytest's node id, or the fixture's name.
        asynchronous: A function that returns the ``AsyncSession`` to store with, opened at the first call.
        synchronous: The same for a ``Session``.
        persists: True if the scope may use a database.
        seed: The seed, as the user knows it.
        source: The source of the seed.
        seen: The values drawn here for unique columns.
        patches: The replacements that are undone at its end.
    """

    id: str
    asynchronous: Callable[[], Any]
    synchronous: Callable[[], Any]
    persists: bool = True
    seed: object = 0
    source: str = "default"
    seen: Seen = field(default_factory=Seen)
    patches: Patches = field(default_factory=Patches)


# One list for the whole process, like Polyfactory's classes, which read it.
SCOPES: list[FactoryScope] = []


def current() -> FactoryScope:
    """Return the scope that runs now.

    Raises:
        UsageError: If there is none.
    """
    if SCOPES:
        return SCOPES[-1]
    raise UsageError(
        "A factory was asked to store an object outside of a test.",
        why="Crucible gives factories the session of the running test or fixture; here none is running.",
        do="Create the object in a test or in a fixture. Data for a whole run belongs in a fixture with"
        ' scope="session", or in crucible_load.',
    )


def gone(scope: FactoryScope) -> None:
    """Forget the values of *scope*, whose rows no longer exist."""
    Seen.alive[:] = [seen for seen in Seen.alive if seen is not scope.seen]
