"""The answer of the server to a reset, and the backends that it names."""

from __future__ import annotations

from typing import Literal, NamedTuple


class OtherBackend(NamedTuple):
    """Another backend with an open transaction or advisory lock in the worker database.

    Attributes:
        pid: The backend.
        state: Its state in ``pg_stat_activity``: ``idle in transaction``, ``active``, ``idle`` …
        query: Its last statement.
        open: Whether a transaction is open; if not, it holds a session-level advisory lock.
        since: The start of the transaction, in seconds since the epoch by the server's clock.
        wrote: Whether it has written, or locked rows: it has a transaction id, and `locks`.
        locks: Whether it holds a lock above ACCESS SHARE on anything but a sequence.
        harmless: Whether it is idle, has no transaction id, and holds no lock above ACCESS SHARE.
    """

    pid: int
    state: str
    query: str
    open: bool
    since: float | None
    wrote: bool = False
    locks: bool = False
    harmless: bool = False

    @property
    def is_aborted(self) -> bool:
        """True if a statement has failed in the transaction, which then holds no locks."""
        return self.state == "idle in transaction (aborted)"

    @property
    def is_clean(self) -> bool:
        """True if it is idle without locks: a rollback to a savepoint has undone everything that it wrote."""
        return self.state == "idle in transaction" and not self.locks

    @property
    def is_prepared(self) -> bool:
        """True if the transaction is prepared: it belongs to no backend, and `query` is its identifier."""
        return self.state == "prepared"

    @property
    def key(self) -> tuple[int, float | None]:
        """The key of the transaction: its backend, and its start."""
        return self.pid, self.since


class Answer(NamedTuple):
    """The answer of one call of the reset.

    Attributes:
        done: ``reset``, ``clone`` (discard the database), or, where nothing was reset yet, ``open`` (of other
            backends) or ``locked`` (another backend holds a lock on a marked table).
        why: The reason for a ``clone``.
        backends: The other backends of ``open``.
        temporary: The backends that made temporary objects.
    """

    done: Literal["reset", "clone", "open", "locked"]
    why: str = ""
    backends: tuple[OtherBackend, ...] = ()
    temporary: tuple[int, ...] = ()
