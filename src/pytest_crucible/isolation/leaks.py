"""Leaks: transactions that are open at the end of a test and must not stay.

Crucible ends no transaction that does not disturb the reset or later tests. An open transaction that is *harmless*
stays, whatever its owner: it is idle, has no transaction id, and holds no lock above ACCESS SHARE, so the reset never
waits for it. A transaction that has rolled back all its writes to a savepoint stays as well; it can still hold a lock
on a sequence only. Of the others

* a transaction that wrote before the test stays, and is ended only if it blocks the reset;
* a transaction under way in a thread or a task of a wide fixture or of the lifespan gets a bounded wait, and stays;
* the initialisation of a connection by its pool, before the first checkout, gets a bounded wait, and stays if it has
  written nothing;
* every other one is a leak: it wrote in this test, it is aborted, or it locks. Its holder rolls it back, and the test
  that left it gets a warning.
"""

from __future__ import annotations

import re
import threading
import warnings
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from sqlalchemy.ext.asyncio import AsyncSession, async_scoped_session
from sqlalchemy.orm import scoped_session

from ..control import OtherBackend
from ..errors import LeakWarning
from ..errors.hints import chain, sqlstate
from ..redirect import LIFESPAN, OUTSIDE, FirstUse, Opened, opened_by
from ..redirect.loops import is_runner

# The backends that were ended, and are named in later errors.
MOST_ENDED = 3
# A transaction, by its backend and its start.
Key = tuple[int, "float | None"]


@dataclass
class Circumstances:
    """The facts about a test by which `judge` judges the transactions that are open at its end.

    Attributes:
        began: The time at which the test began, by the server's clock.
        number: The number of the test in this process.
        before: The transactions that had written, or locked, before the test.
        every: Whether harmless transactions of the test are reported, too (``crucible_leaks = "all"``).
        fixtures: The values of wide fixtures that are up, by their names.
        names: The names that outlive the test, by their namespace: its module, its class.
        first: The first use of each session.
    """

    began: float
    number: int = 0
    before: set[Key] = field(default_factory=set)
    every: bool = False
    fixtures: Mapping[str, Any] = field(default_factory=dict)
    names: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    first: Mapping[Any, FirstUse] = field(default_factory=dict)


class Leak(NamedTuple):
    """One transaction, or session-level advisory lock, that a test left open.

    Attributes:
        backend: The server's account of it.
        opened: This process's account of its connection; None for a raw driver's or another process's.
        owner: Its probable owner, as a phrase.
        first: The location of its session's first use, or None.
        in_the_way: Whether it held a lock on tables that had to be reset.
        outcome: The sentence that says how it ended.
    """

    backend: OtherBackend
    opened: Opened | None
    owner: str
    first: str | None = None
    in_the_way: bool = False
    outcome: str = "It is still open."

    def __str__(self) -> str:
        return f"{self._found()}: {self.details()}.\n{self._advice()} {self.outcome}"

    def details(self) -> str:
        """Return the backend, its state, where it was opened, its last statement, and its owner."""
        session = f", in a session first used at {self.first}" if self.first else ""
        statement = " ".join(self.backend.query.split())[:200]
        return (
            f"backend {self.backend.pid}, {self.backend.state}, opened {opened_by(self.opened)}{session};"
            f" its last statement: {statement!r}; it seems to belong to {self.owner}"
        )

    @property
    def _is_wide(self) -> bool:
        return self.opened is not None and self.opened.owner is not None

    def _found(self) -> str:
        if self.backend.is_prepared:
            return "The test left a prepared transaction"
        if not self.backend.open:
            return "The test kept a session-level advisory lock"
        if self._is_wide and self.in_the_way:
            return f"{self.owner} kept a transaction open that locks what had to be reset after the test"
        if self.backend.is_aborted:
            return "The test left an aborted transaction open"
        return f"The test left a transaction open{' that has written' if self.backend.wrote else ''}"

    def _advice(self) -> str:
        if self.backend.is_prepared:
            return "Probably prepare() or PREPARE TRANSACTION without a second phase.\nCommit it, or roll it back."
        if not self.backend.open:
            return (
                "Probably pg_advisory_lock() without pg_advisory_unlock(): the lock lives on in the pool.\n"
                "Unlock it in a finally, or use pg_advisory_xact_lock()."
            )
        if self.backend.is_aborted:
            return (
                "Probably a statement has failed, and the error was caught without a rollback().\n"
                "Roll back where the error is caught, or write `async with Session() as session:`."
            )
        if self._is_wide or self.owner.startswith(("the wide", "the class", "the module", "an earlier")):
            return (
                "Probably it was written in the test through a session that outlives it.\n"
                "Commit or roll back before the test ends."
            )
        return (
            "Probably a session or connection that is not closed on every path.\n"
            "Write `async with Session() as session:`, or close it in a finally."
        )


@dataclass
class Verdict:
    """The decision on the transactions that are open at a test's end.

    Attributes:
        leaks: The leaks, which are ended.
        stay: The backends whose transactions stay.
        busy: The transactions among those that write or lock, and that a thread or task of a wide owner works on.
        harmless: The harmless ones that are reported, and stay.
        new: The backends of connections that a pool of the test initialises now; they stay, if that takes long.
    """

    leaks: list[Leak] = field(default_factory=list)
    stay: set[int] = field(default_factory=set)
    busy: set[Key] = field(default_factory=set)
    harmless: list[Leak] = field(default_factory=list)
    new: set[int] = field(default_factory=set)


def judge(backends: Iterable[OtherBackend], connections: Iterable[Opened], now: Circumstances) -> Verdict:
    """Divide the open transactions into leaks and those that may stay."""
    known = {opened.pid: opened for opened in connections}
    verdict = Verdict()
    for backend in backends:
        opened = known.get(backend.pid)
        if backend.is_clean:
            verdict.stay.add(backend.pid)
            if now.every and _is_new(backend, now) and (opened is None or opened.owner is None):
                verdict.harmless.append(leak(backend, opened, now))
        elif _may_stay(backend, opened, now):
            verdict.stay.add(backend.pid)
            if (backend.wrote or backend.locks) and backend.open and is_active(opened):
                verdict.busy.add(backend.key)
        elif opened is not None and opened.is_new and not (backend.wrote or backend.locks):
            verdict.new.add(backend.pid)
        else:
            verdict.leaks.append(leak(backend, opened, now))
    return verdict


def _is_new(backend: OtherBackend, now: Circumstances) -> bool:
    return backend.since is None or backend.since >= now.began


def _may_stay(backend: OtherBackend, opened: Opened | None, now: Circumstances) -> bool:
    is_owned = opened is not None and opened.owner is not None
    if backend.is_prepared:
        return False
    if not backend.open or backend.key in now.before:
        # An advisory lock without a transaction: any that an earlier test left has been ended already.
        return is_owned or backend.open
    if is_active(opened):
        return True
    if backend.is_aborted:
        return False
    if backend.wrote or backend.locks:
        # Begun before the test, and written in it. A session stays usable after a rollback, so its transaction is a
        # leak; a transaction that a fixture began on a connection stays, since only the fixture may end it.
        return not _is_new(backend, now) and (opened is None or opened.session is None or opened.has_joined)
    return is_owned or not _is_new(backend, now)


def is_active(opened: Opened | None) -> bool:
    """Return whether a thread or a task of a wide fixture or of the lifespan works on this connection now."""
    if opened is None or opened.owner is None:
        return False
    if opened.task is not None:
        return not opened.task.done() and not is_runner(opened.task)
    if opened.loop is not None or opened.thread == threading.main_thread().ident:
        return False
    return any(thread.ident == opened.thread for thread in threading.enumerate())


def in_the_way(
    backends: Iterable[OtherBackend], connections: Iterable[Opened], pids: frozenset[int], now: Circumstances
) -> list[Leak]:
    """Return the leaks whose locks stopped the reset: those of *pids*, or all that lock if no pid matches."""
    known = {opened.pid: opened for opened in connections}
    holding = [backend for backend in backends if not backend.harmless]
    blocking = [backend for backend in holding if backend.pid in pids] or holding
    return [leak(backend, known.get(backend.pid), now, in_the_way=True) for backend in blocking]


def leak(backend: OtherBackend, opened: Opened | None, now: Circumstances, *, in_the_way: bool = False) -> Leak:
    """Return the leak of *backend*, with its owner and its session's first use."""
    first = now.first.get(opened.session) if opened is not None and opened.session is not None else None
    location = str(first.location) if first is not None and first.location is not None else None
    return Leak(backend, opened, _owner(opened, first, now), location, in_the_way)


def _owner(opened: Opened | None, first: FirstUse | None, now: Circumstances) -> str:
    if opened is None:
        return "code that Crucible does not see"
    is_thread = opened.loop is None and opened.thread != threading.main_thread().ident
    prefix = "a thread of " if is_thread else ""
    if opened.owner is not None:
        return prefix + _named(opened.owner)
    keeper = None if opened.session is None else _keeper(opened, now)
    if keeper is not None:
        return keeper
    if first is not None and first.owner is not None:
        return _named(first.owner)
    if first is not None and first.test < now.number:
        return "an earlier test, which used its session first"
    return f"{prefix}the test"


def _keeper(opened: Opened, now: Circumstances) -> str | None:
    """Return the wide fixture, class or module that has the session of *opened*."""
    for name, value in now.fixtures.items():
        if _is_session(value, opened):
            return _named(name)
    for where, names in now.names.items():
        for name, value in list(names.items()):
            if _is_session(value, opened):
                return f"{where}, whose attribute {name!r} it is"
    return None


def _named(owner: str) -> str:
    if owner == LIFESPAN:
        return "the application's lifespan"
    return owner if owner == OUTSIDE else f"the wide fixture {owner!r}"


def _is_session(value: Any, opened: Opened) -> bool:
    """Return whether *value* is the session of *opened*, its AsyncSession, or a scoped session that has it now."""
    if isinstance(value, (scoped_session, async_scoped_session)):
        value = value.registry() if value.registry.has() else None
    return (value.sync_session if isinstance(value, AsyncSession) else value) is opened.session


def report(leaks: Iterable[Leak], test: str) -> None:
    """Warn of *leaks* in one warning: a filter that makes it an error must show them all.

    Args:
        leaks: The leaks.
        test: The test that left them, if the warning appears in a later one; else empty.
    """
    text = "\n".join(map(str, leaks))
    text = f"{test}:\n{text}" if text and test else text
    if text:
        warnings.warn(LeakWarning(text), stacklevel=3)


# The drivers' messages for a connection whose backend is gone, beside the SQLSTATE 57P01 (admin_shutdown).
GONE = (
    r"terminating connection due to administrator|connection (is|was|already) closed|closed the connection unexpectedly"
)


CLONED = (
    "Crucible made the worker database anew after {}, which had changed the schema or is isolated by a clone. Sessions"
    " and connections of SQLAlchemy connect anew by themselves; a connection of a raw driver does not: open it in a"
    " function-scoped fixture."
)


class Ended:
    """The backends that Crucible has ended in this run, to explain the errors of later tests."""

    def __init__(self) -> None:
        self._last: list[tuple[str, Leak]] = []
        self._cloned_after: str | None = None

    def note(self, test: str, leaks: Iterable[Leak]) -> None:
        """Remember *leaks* of *test*, whose backends were ended."""
        self._last = [*self._last, *((test, leak) for leak in leaks)][-MOST_ENDED:]

    def note_clone(self, test: str) -> None:
        """Remember that a worker database was thrown away after *test*, with every connection to it."""
        self._cloned_after = test

    def explain(self, error: BaseException) -> list[str]:
        """Return the reasons where *error* says that a backend is gone; see `hints`."""
        if not any(sqlstate(part) == "57P01" or re.search(GONE, str(part)) for part in chain(error)):
            return []
        ended = [f"Crucible ended a backend after {test}: {leak.details()}." for test, leak in self._last]
        return ended if self._cloned_after is None else [*ended, CLONED.format(self._cloned_after)]
