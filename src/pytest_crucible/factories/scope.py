"""Where data is made: a test, or a fixture of a wider scope while it comes up."""

from __future__ import annotations

from collections.abc import Callable, Hashable
from dataclasses import dataclass, field
from typing import Any, ClassVar

from ..errors import UsageError
from .patches import Patches


class Seen(dict[Hashable, set[Hashable]]):
    """The values drawn for unique columns in one place, by the columns."""

    # Those whose rows are there: of the places that run, and of the wide fixtures that are up.
    alive: ClassVar[list[Seen]] = []


@dataclass(eq=False)
class Place:
    """A test or a wide fixture.

    Attributes:
        id: What its data is seeded by, beside the seed: pytest's node id, or the fixture's name.
        asynchronous: The ``AsyncSession`` to store with, opened at the first call.
        synchronous: The same for a ``Session``.
        persists: Whether a database may be touched here.
        seed: The seed, as the user knows it.
        source: Where the seed comes from.
        seen: The values drawn here for unique columns.
        patches: What is undone where it ends.
    """

    id: str
    asynchronous: Callable[[], Any]
    synchronous: Callable[[], Any]
    persists: bool = True
    seed: object = 0
    source: str = "default"
    seen: Seen = field(default_factory=Seen)
    patches: Patches = field(default_factory=Patches)


# Of the whole process: Polyfactory's classes, which ask here, are of the process too.
PLACES: list[Place] = []


def current() -> Place:
    """The place that runs now.

    Raises:
        UsageError: If there is none.
    """
    if PLACES:
        return PLACES[-1]
    raise UsageError(
        "A factory was asked to store an object outside of a test.",
        why="Crucible gives factories the session of the test, or of the fixture, that runs; here none does.",
        do="Create the object in a test or in a fixture. What a whole run shares belongs into a fixture with"
        ' scope="session", or into crucible_load.',
    )


def gone(place: Place) -> None:
    """The rows that were made in *place* are there no more."""
    Seen.alive[:] = [one for one in Seen.alive if one is not place.seen]
