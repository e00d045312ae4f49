"""The applications under test that exist in this process."""

from __future__ import annotations

import weakref
from typing import Any

from ..settings import Settings
from ..settings.lookup import loaded
from .overrides import owners


class Applications:
    """The applications of ``crucible_app``: the object that it names, and those that a factory has made."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._by_lifespan: weakref.WeakKeyDictionary[object, Any] = weakref.WeakKeyDictionary()

    def add(self, lifespan: object, application: Any) -> None:
        """Add *application*, for as long as *lifespan* exists."""
        self._by_lifespan[lifespan] = application

    def with_lifespan(self) -> list[Any]:
        """Return the applications whose lifespans Crucible runs."""
        return list({id(application): application for application in self._by_lifespan.values()}.values())

    def all(self) -> list[Any]:
        """Return the applications that exist by now."""
        named = loaded(self._settings.app) if self._settings.app else None
        running = self.with_lifespan()
        return running if named is None or named in running or not owners(named) else [*running, named]
