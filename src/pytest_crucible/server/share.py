"""One user's place among the users of a server: a shared lock, which the kernel lets go of for whoever dies."""

from __future__ import annotations

import os
import weakref
from collections.abc import Callable
from typing import TypeVar

from . import locks
from .folders import Folders
from .supervisor import nest

Found = TypeVar("Found")


class Share:
    """A place among the users of the server of a project.

    Held from its making on: the server cannot end between being found and being used.

    Args:
        where: The project's folders.
        seconds: How long to wait for others who start or stop the server.
    """

    def __init__(self, where: Folders, *, seconds: float = locks.SECONDS) -> None:
        self.where = where
        self._seconds = seconds
        self._users = locks.acquire(where.users, exclusive=False, seconds=seconds)
        _SHARES.add(self)

    def join(self, running: Callable[[], Found | None], start: Callable[[int], None]) -> Found | None:
        """What *running* finds, after *start*, called with the start lock, if it found nothing before."""
        try:
            return running() or self._started(running, start)
        except BaseException:
            self.let_go()
            self.where.remove_locks()
            raise

    def _started(self, running: Callable[[], Found | None], start: Callable[[int], None]) -> Found | None:
        lock = locks.acquire(self.where.start, exclusive=True, seconds=self._seconds)
        try:
            found = running()  # somebody else may have been faster
            if not found:
                start(lock)
                found = running()
        finally:
            os.close(lock)
        return found

    def leave(self, path: str) -> bool:
        """Leave; the last one to do so ends the server in the nest *path*. Whether its supervisor is dead."""
        if self._users < 0:
            return False
        self.let_go()
        if nest.owned(path):
            return False
        # Its supervisor was killed: nobody else would remove what it left before the next start.
        nest.sweep(os.path.dirname(path))
        self.where.remove_locks()
        return True

    def let_go(self) -> None:
        """Leave, and look after nothing."""
        if self._users >= 0:
            os.close(self._users)
            self._users = -1


_SHARES: weakref.WeakSet[Share] = weakref.WeakSet()


def _forget_shares() -> None:
    """A child that was forked has a share of its own only if it asks for one: it must not keep its parent's alive."""
    for share in list(_SHARES):
        share.let_go()


os.register_at_fork(after_in_child=_forget_shares)
