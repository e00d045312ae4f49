"""Leaks: transactions that a test left open, and whose they are.

A *leak* is a transaction that began in this test, is still open after a second look, and belongs neither to a
fixture of a wider scope nor to the application's lifespan. What runs in a lifespan's tasks gets a bounded wait on
its loop: a poller that sleeps inside a transaction is no leak. Whoever stands in the way of the reset has to go,
whoever he belongs to.
"""

from __future__ import annotations

import asyncio
import time
import warnings
from collections.abc import Iterable
from dataclasses import dataclass

from .errors import LeakWarning
from .redirect import Opened
from .reset import Stranger

# A second look, and more: a request that was answered may still be committing in a thread.
LOOKS = (0.002, 0.005, 0.02)
LIFESPAN_SECONDS = 1.0


@dataclass(frozen=True)
class Leak:
    """One transaction that a test left open.

    Attributes:
        stranger: What the server says of it.
        opened: What this process knows of its connection; None for a raw driver's or another process's.
        in_the_way: Whether it held a lock on what had to be put back.
    """

    stranger: Stranger
    opened: Opened | None
    in_the_way: bool = False

    def __str__(self) -> str:
        where = "by code that Crucible does not see (a raw driver, a subprocess)"
        if self.opened is not None:
            where = f"at {self.opened.place or 'an unknown place'} ({self.opened.driver})"
        return (
            f"{self._what()}: backend {self.stranger.pid}, {self.stranger.state}, opened {where};"
            f" its last statement: {' '.join(self.stranger.query.split())[:200]!r}.\n{self._advice()}"
            " The connection has been ended."
        )

    @property
    def _owner(self) -> str | None:
        return self.opened.owner if self.opened is not None else None

    def _what(self) -> str:
        if self._owner and self.in_the_way:
            return f"{self._owner!r} kept a transaction open that locks what had to be put back after the test"
        return f"The test {'left a transaction open' if self.stranger.open else 'kept a session-level advisory lock'}"

    def _advice(self) -> str:
        if self._owner and self.in_the_way:
            return (
                "Probably a fixture of a wider scope, or a task of the lifespan, has written and not committed.\n"
                "Commit there before the test ends."
            )
        if not self.stranger.open:
            return (
                "Probably pg_advisory_lock() without pg_advisory_unlock(): the lock lives on in the pool.\n"
                "Unlock it in a finally, or use pg_advisory_xact_lock()."
            )
        return (
            "Probably a session or connection that is not closed on every path.\n"
            "Write `async with Session() as session:`, or close it in a finally."
        )


def judge(strangers: Iterable[Stranger], connections: Iterable[Opened], began: float) -> tuple[list[Leak], set[int]]:
    """Part what is open into leaks, and backends that may stay.

    Args:
        strangers: What the server reports open.
        connections: The connections of this process.
        began: When the test began, by the server's clock.
    """
    known = {opened.pid: opened for opened in connections}
    leaks: list[Leak] = []
    stay: set[int] = set()
    for stranger in strangers:
        opened = known.get(stranger.pid)
        older = stranger.since is not None and stranger.since < began
        owned = opened is not None and opened.owner is not None
        # An older transaction is somebody else's; an advisory lock that an older test left would have been ended.
        if owned or (stranger.open and older):
            stay.add(stranger.pid)
        else:
            leaks.append(Leak(stranger, opened))
    return leaks, stay


def in_the_way(strangers: Iterable[Stranger], connections: Iterable[Opened], pids: frozenset[int]) -> list[Leak]:
    """Those whose locks stopped the reset: *pids*, or everybody where the server names nobody."""
    known = {opened.pid: opened for opened in connections}
    found = [Leak(stranger, known.get(stranger.pid), in_the_way=True) for stranger in strangers]
    return [leak for leak in found if leak.stranger.pid in pids] or found


def report(leaks: Iterable[Leak]) -> None:
    """Warn of *leaks* in one warning: where it is an error, it must name them all."""
    text = "\n".join(map(str, leaks))
    if text:
        warnings.warn(LeakWarning(text), stacklevel=3)


def give_time(connections: Iterable[Opened], seconds: float) -> None:
    """Let the event loops of *connections* run for *seconds*, so that what is about to end can."""
    loops = {opened.loop for opened in connections if opened.loop is not None}
    idle = [loop for loop in loops if not loop.is_closed() and not loop.is_running()]
    if not idle or _inside_a_loop():
        time.sleep(seconds)
        return
    for loop in idle:
        loop.run_until_complete(asyncio.sleep(seconds))


def _inside_a_loop() -> bool:
    try:
        asyncio.get_running_loop()
    except RuntimeError:
        return False
    return True
