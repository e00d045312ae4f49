"""A check before the pings of ``pool_pre_ping``: a connection of another loop must not be pinged.

SQLAlchemy pings a connection before any pool event.
"""

from __future__ import annotations

import weakref
from typing import TYPE_CHECKING, Any

from .connection_registry import Registry
from .loops import running_loop

if TYPE_CHECKING:
    from sqlalchemy.engine.interfaces import Dialect


class Pings:
    """The wrappers that run a check before ``do_ping`` of each dialect object."""

    def __init__(self, registry: Registry) -> None:
        self._registry = registry
        self._guarded: weakref.WeakSet[Dialect] = weakref.WeakSet()

    def guard(self, dialect: Dialect) -> None:
        """Check before each ping of *dialect*."""
        if dialect in self._guarded:
            return
        self._guarded.add(dialect)
        ping = dialect.do_ping

        def do_ping(dbapi_connection: Any) -> bool:
            entry = self._registry.of(dialect.get_driver_connection(dbapi_connection))
            if entry is not None and entry.loop() is not running_loop():
                self._registry.leave_loop(entry)
            return ping(dbapi_connection)

        dialect.do_ping = do_ping  # type: ignore[method-assign]

    def restore(self) -> None:
        """Remove the checks."""
        for dialect in list(self._guarded):
            vars(dialect).pop("do_ping", None)
        self._guarded.clear()
