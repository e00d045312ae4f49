"""The factories of one run: bound while it lasts, and seeded at the beginning of each scope."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from importlib.util import find_spec
from types import ModuleType

from ..project.on_import import OnImport
from ..project.patches import Patches
from ..settings import Settings
from .scope import SCOPES, FactoryScope, Seen, gone
from .seeds import Sources, State, number, restore


class Factories:
    """The binding and the seeds of factories in one run."""

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
        if SCOPES:
            self._sources.seed(number(SCOPES[-1].seed, SCOPES[-1].id))

    def _dated(self, module: ModuleType) -> None:
        from .polyfactory.binding import bind_pydantic

        bind_pydantic(module.ModelFactory, self._patches)

    def _bound(self, module: ModuleType) -> None:
        from .polyfactory.binding import bind_batches, bind_keys, bind_rows, bind_sessions, bind_types

        for bind in (bind_sessions, bind_keys, bind_rows, bind_types, bind_batches):
            bind(module.SQLAlchemyFactory, self._patches)

    @contextmanager
    def at(self, scope: FactoryScope, *, lasting: bool = False) -> Iterator[FactoryScope]:
        """Draw and store data for *scope* inside the block.

        Args:
            scope: A test, or a fixture.
            lasting: True if its rows outlive the block; call `gone` when they are removed.
        """
        outer = SCOPES[-1] if SCOPES else None
        before = self._sources.state() if self._sources and outer else None
        scope.seed = self._settings.seed
        scope.source = self._source()
        SCOPES.append(scope)
        Seen.alive.append(scope.seen)
        self._seed(scope)
        try:
            yield scope
        finally:
            SCOPES.remove(scope)
            if not lasting:
                gone(scope)
            scope.patches.undo()
            if before:
                restore(before)
            elif outer:
                self._seed(outer)

    def _source(self) -> str:
        kind = self._settings.sources.get("crucible_seed", "default")
        return {"file": "configuration file", "flag": "--crucible-seed", "environment": "CRUCIBLE_SEED"}.get(kind, kind)

    def follow(self, scope: FactoryScope, seed: object) -> None:
        """Seed *scope* by Faker's fixture ``faker_seed`` instead, unless the user has set ``crucible_seed``."""
        if "crucible_seed" in self._settings.sources or seed == scope.seed:
            return
        scope.seed, scope.source = seed, "faker_seed"
        self._seed(scope)

    def _seed(self, scope: FactoryScope) -> None:
        if self._sources:
            self._sources.seed(number(scope.seed, scope.id))

    def rewinder(self) -> Callable[[], None]:
        """Return a function that has the scope that runs now draw again what it draws from now on.

        Python's own ``random`` is left out: it belongs to the caller.
        """
        scope = SCOPES[-1] if SCOPES else None
        state = [] if self._sources is None else self._sources.state(python=False)
        seen = {} if scope is None else {key: set(values) for key, values in scope.seen.items()}

        def rewind() -> None:
            restore(state)
            if scope is not None:
                scope.seen.clear()
                scope.seen.update((key, set(values)) for key, values in seen.items())

        return rewind

    def report(self, scope: FactoryScope) -> str | None:
        """Return the line for the report of a failed *scope*; None if it drew nothing."""
        if self._sources is None or not self._sources.drew(number(scope.seed, scope.id)):
            return None
        return (
            f"The data of {scope.id} was drawn with the seed {scope.seed} ({scope.source}), and is the same in every"
            " run. --crucible-seed=N draws other data."
        )

    def close(self) -> None:
        """Restore Polyfactory and the state of all random sources."""
        self._on_import.remove()
        self._patches.undo()
        if self._before:
            restore(self._before)
