"""A process's share in a server: a shared lock, which the kernel releases if the process dies."""

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
    """A share in the server of a project.

    It is held from its creation on, so the server cannot end between being found and being used.

    Args:
        where: The project's folders.
        seconds: The time to wait for other processes that start or stop the server.
        linger: The seconds for which the server lives on, if this is the last share.
    """

    def __init__(self, where: Folders, *, seconds: float = locks.SECONDS, linger: int = 0) -> None:
        self.where = where
        self._linger = linger
        self._seconds = seconds
        self._users = locks.acquire(where.users, exclusive=False, seconds=seconds)
        os.ftruncate(self._users, 0)  # what an earlier user has asked for ends with this one, even if it is killed
        _SHARES.add(self)

    def join(self, running: Callable[[], Found | None], start: Callable[[int], None]) -> Found | None:
        """Return the result of *running*; if it is None, call *start* with the start lock and try again."""
        try:
            return running() or self._started(running, start)
        except BaseException:
            self.release()
            self.where.remove_locks()
            raise

    def _started(self, running: Callable[[], Found | None], start: Callable[[int], None]) -> Found | None:
        lock = locks.acquire(self.where.start, exclusive=True, seconds=self._seconds)
        try:
            result = running()  # another process may have been faster
            if not result:
                start(lock)
                result = running()
        finally:
            os.close(lock)
        return result

    def leave(self, path: str) -> bool:
        """Release the share of the server in the nest *path*; return whether its supervisor is dead.

        The server ends when its last user leaves, or as many seconds later as that user has written.
        """
        if self._users < 0:
            return False
        os.ftruncate(self._users, 0)
        os.pwrite(self._users, str(self._linger).encode(), 0)
        self.release()
        if nest.owned(path):
            return False
        # Its supervisor was killed: no other process would remove the remains before the next start.
        nest.sweep(os.path.dirname(path))
        self.where.remove_locks()
        return True

    def release(self) -> None:
        """Release the share without any cleanup."""
        if self._users >= 0:
            os.close(self._users)
            self._users = -1


_SHARES: weakref.WeakSet[Share] = weakref.WeakSet()


def _forget_shares() -> None:
    """Release the parent's shares in a forked child, which must not keep them alive; it takes its own if needed."""
    for share in list(_SHARES):
        share.release()


os.register_at_fork(after_in_child=_forget_shares)
