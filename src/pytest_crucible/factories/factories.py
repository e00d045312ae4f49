"""The factories of one run: bound while it lasts, and seeded at the beginning of each scope."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.util import find_spec
from types import ModuleType

from ..project.on_import import OnImport
from ..settings import Settings
from .patches import Patches
from .scope import PLACES, Place, Seen, gone
from .seeds import Sources, State, number, restore


class Factories:
    """The binding and the seeds of factories in one run.

    Args:
        settings: The run's settings.
    """

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._python = True
        self._patches = Patches()
        self._sources: Sources | None = None
        self._before: State = []
        self._on_import = OnImport(
            {
                "polyfactory.factories.base": self._seeded,
                "polyfactory.factories.pydantic_factory": self._dated,
                "polyfactory.factories.sqlalchemy_factory": self._bound,
            }
        )

    def begin(self, *, python: bool = True) -> None:
        """Bind Polyfactory's classes when the project imports them; do nothing if Polyfactory is not installed.

        Args:
            python: True to seed Python's own ``random`` too.
        """
        self._python = python
        if sys.modules.get("polyfactory") or find_spec("polyfactory"):
            self._on_import.install()

    def _seeded(self, module: ModuleType) -> None:
        from .polyfactory.binding import bind_dates, bind_seeds

        self._sources = Sources(module.BaseFactory, self._patches, python=self._python)
        self._before = self._sources.state()
        bind_seeds(module.BaseFactory, self._sources, self._patches)
        bind_dates(module.BaseFactory, self._patches)
        if PLACES:
            self._sources.seed(number(PLACES[-1].seed, PLACES[-1].id))

    def _dated(self, module: ModuleType) -> None:
        from .polyfactory.binding import bind_pydantic

        bind_pydantic(module.ModelFactory, self._patches)

    def _bound(self, module: ModuleType) -> None:
        from .polyfactory.binding import bind_batches, bind_keys, bind_sessions, bind_types

        for bind in (bind_sessions, bind_keys, bind_types, bind_batches):
            bind(module.SQLAlchemyFactory, self._patches)

    @contextmanager
    def at(self, place: Place, *, lasting: bool = False) -> Iterator[Place]:
        """Draw and store data for *place* inside the block.

        Args:
            place: A test, or a fixture.
            lasting: True if its rows outlive the block; call `gone` when they are removed.
        """
        outer = PLACES[-1] if PLACES else None
        before = self._sources.state() if self._sources and outer else None
        place.seed = self._settings.seed
        place.source = self._source()
        PLACES.append(place)
        Seen.alive.append(place.seen)
        self._seed(place)
        try:
            yield place
        finally:
            PLACES.remove(place)
            if not lasting:
                gone(place)
            place.patches.undo()
            if before:
                restore(before)
            elif outer:
                self._seed(outer)

    def _source(self) -> str:
        kind = self._settings.sources.get("crucible_seed")
        return {"file": "configuration file", "flag": "--crucible-seed", "environment": "CRUCIBLE_SEED"}.get(
            kind or "", "default"
        )

    def follow(self, place: Place, seed: object) -> None:
        """Seed *place* by Faker's fixture ``faker_seed`` instead, unless the user has set ``crucible_seed``."""
        if "crucible_seed" in self._settings.sources or seed == place.seed:
            return
        place.seed, place.source = seed, "faker_seed"
        self._seed(place)

    def _seed(self, place: Place) -> None:
        if self._sources:
            self._sources.seed(number(place.seed, place.id))

    def report(self, place: Place) -> str | None:
        """Return the line for the report of a failed *place*; None if it drew nothing."""
        if self._sources is None or not self._sources.drew(number(place.seed, place.id)):
            return None
        return (
            f"The data of {place.id} was drawn with the seed {place.seed} ({place.source}), and is the same in every"
            " run. --crucible-seed=N draws other data."
        )

    def close(self) -> None:
        """Restore Polyfactory and the state of all random sources."""
        self._on_import.remove()
        self._patches.undo()
        if self._before:
            restore(self._before)
