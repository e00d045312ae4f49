"""One pool for each event loop on which an engine is used.

SQLAlchemy gives an engine one pool. The queue of an asynchronous pool belongs to the loop that first waited for it, and
so do the connections in it. While two loops are alive at once, the loop of the tests and that of a ``TestClient``,
neither can use the other's connections.
"""

from __future__ import annotations

import weakref
from typing import Any, overload

from sqlalchemy.engine import Engine
from sqlalchemy.pool import AsyncAdaptedQueuePool, Pool

from .loops import Loop, running_loop

_NAME = "pool"


class PoolByLoop:
    """A descriptor for `Engine.pool` that returns another pool on each event loop, all of the same kind.

    The first loop gets the pool that the engine has already, and so does code outside any loop.
    """

    def __init__(self) -> None:
        self._installed = 0
        self._owners: weakref.WeakKeyDictionary[Engine, weakref.ref[Loop]] = weakref.WeakKeyDictionary()
        self._others: weakref.WeakKeyDictionary[Engine, weakref.WeakKeyDictionary[Loop, Pool]]
        self._others = weakref.WeakKeyDictionary()

    def install(self) -> None:
        """Become the attribute; a run inside another run may install it again."""
        self._installed += 1
        setattr(Engine, _NAME, self)

    def remove(self) -> None:
        """Restore the engines' own attribute, once every run has removed the descriptor."""
        self._installed -= 1
        if not self._installed:
            delattr(Engine, _NAME)
            self._owners.clear()
            self._others.clear()

    def forget(self, engine: Engine, loop: Loop) -> None:
        """Give *engine* a new pool for its next loop: *loop*, which is ending, closes the old pool's connections."""
        if self._owner(engine) is loop:
            self._renew(engine)
        elif engine in self._others:
            self._others[engine].pop(loop, None)

    @overload
    def __get__(self, engine: None, owner: type[Engine]) -> PoolByLoop: ...

    @overload
    def __get__(self, engine: Engine, owner: type[Engine]) -> Pool: ...

    def __get__(self, engine: Engine | None, owner: type[Engine]) -> PoolByLoop | Pool:
        """Return the pool of the running loop."""
        if engine is None:
            return self
        try:
            pool: Pool = vars(engine)[_NAME]
        except KeyError:
            raise AttributeError(_NAME) from None
        loop = running_loop() if isinstance(pool, AsyncAdaptedQueuePool) else None
        return pool if loop is None else self._of(engine, pool, loop)

    def __set__(self, engine: Engine, pool: Pool) -> None:
        """Replace the pool of the running loop, as ``Engine.dispose()`` does."""
        loop = running_loop()
        if loop is not None and loop in self._others.get(engine, {}):
            self._others[engine][loop] = pool
        else:
            vars(engine)[_NAME] = pool

    def _of(self, engine: Engine, pool: Pool, loop: Loop) -> Pool:
        owner = self._owner(engine)
        if owner is loop:
            return pool
        if owner is not None and not owner.is_closed():
            others = self._others.setdefault(engine, weakref.WeakKeyDictionary())
            return others.get(loop) or others.setdefault(loop, pool.recreate())
        if engine in self._owners:
            pool = self._renew(engine)  # its loop ended without a connection
        self._owners[engine] = weakref.ref(loop)
        return pool

    def _owner(self, engine: Engine) -> Loop | None:
        reference: Any = self._owners.get(engine)
        return None if reference is None else reference()

    def _renew(self, engine: Engine) -> Pool:
        self._owners.pop(engine, None)
        pool: Pool = vars(engine)[_NAME].recreate()
        vars(engine)[_NAME] = pool
        return pool


# One for the process: the attribute belongs to a class.
POOLS = PoolByLoop()
