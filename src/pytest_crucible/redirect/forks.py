"""Forks: what happens to Crucible around each ``os.fork()`` of this process.

A forked child has a copy of everything: of connections that the parent goes on using, of locks that a thread which the
child does not have may hold, of the duty to drop the worker databases. Each part that this concerns says so by `watch`.

Threads
-------
Crucible's own threads end before a fork and begin again after it, in the parent only: the child gets no lock that one
of them holds, and the fork is no fork of a process with threads. Python 3.12 and later warn of those, and look only
after the threads have begun again; so where there was no other thread, that warning is filtered.
"""

from __future__ import annotations

import contextlib
import os
import sys
import threading
import time
import warnings
import weakref
from collections.abc import Callable
from pathlib import Path
from typing import Any, Protocol

# Objects of the parent that the child must not close: their last reference is here.
INHERITED: list[object] = []
_WARNING = r"This process \(pid=\d+\) is multi-threaded, use of \w+\(\) may lead to deadlocks in the child"
_TASKS = Path("/proc/self/task")
_GONE_SECONDS = 0.2
# One that waits for the thread that forks does not end before.
_END_SECONDS = 2.0


class Forking(Protocol):
    """A part that a fork concerns."""

    def before_fork(self) -> None:
        """Prepare; runs in the thread that forks."""

    def after_fork_in_parent(self) -> None:
        """Go on."""

    def after_fork_in_child(self) -> None:
        """Leave to the parent what is the parent's."""


class Background:
    """A daemon thread that gives way to forks.

    Args:
        name: The thread's name.
        run: What it does; returns soon after *wake* was called.
        wake: Has *run* return.
    """

    def __init__(self, name: str, run: Callable[[], None], wake: Callable[[], None]) -> None:
        self._name = name
        self._run = run
        self._wake = wake
        self._thread: threading.Thread | None = None
        self._pauses = False
        watch(self)

    def start(self) -> None:
        """Start the thread, unless it runs."""
        if self._thread is None:
            self._thread = threading.Thread(target=self._run, name=self._name, daemon=True)
            self._thread.start()

    def stop(self) -> None:
        """End the thread and wait for its end."""
        thread, self._thread = self._thread, None
        if thread is not None and thread is not threading.current_thread():
            self._wake()
            thread.join(_END_SECONDS)
            _await_end(thread)

    def before_fork(self) -> None:
        """End the thread, unless it is the one that forks."""
        self._pauses = self._thread is not None and self._thread is not threading.current_thread()
        if self._pauses:
            self.stop()

    def after_fork_in_parent(self) -> None:
        """Start the thread again."""
        if self._pauses:
            self.start()

    def after_fork_in_child(self) -> None:
        """Have no thread."""
        self._thread = None


def _await_end(thread: threading.Thread) -> None:
    """Wait until the system's thread is gone, too: before Python 3.13, ``join`` returns a little earlier."""
    task = _TASKS / str(thread.native_id)
    deadline = time.monotonic() + _GONE_SECONDS
    while task.exists() and time.monotonic() < deadline:
        time.sleep(0)


_watched: list[weakref.ref[Forking]] = []
_filter: list[Any] = []


def watch(part: Forking) -> None:
    """Tell *part* of every fork from now on, for as long as it lives; the last one to ask is told first."""
    _watched[:] = [reference for reference in _watched if reference() is not None]
    _watched.append(weakref.ref(part))


def _parts() -> list[Forking]:
    return [part for reference in _watched if (part := reference()) is not None]


def _before() -> None:
    _take_filter_away()
    for part in reversed(_parts()):
        part.before_fork()
    if sys.version_info >= (3, 12) and _threads() == 1:
        _put_filter()


def _after_in_parent() -> None:
    for part in _parts():
        part.after_fork_in_parent()


def _after_in_child() -> None:
    for part in _parts():
        part.after_fork_in_child()


def _threads() -> int:
    """The number of threads of this process, those of C libraries included where the system tells."""
    try:
        return len(list(_TASKS.iterdir()))
    except OSError:
        return threading.active_count()


def _put_filter() -> None:
    before = list(warnings.filters)
    warnings.filterwarnings("ignore", _WARNING, DeprecationWarning)
    _filter[:] = [entry for entry in warnings.filters if entry not in before]


def _take_filter_away() -> None:
    """The next fork may be one that Python is right to warn of."""
    for entry in _filter:
        with contextlib.suppress(ValueError):  # the filters that were in effect then are not any more
            warnings.filters.remove(entry)  # type: ignore[attr-defined]
    _filter.clear()


os.register_at_fork(before=_before, after_in_parent=_after_in_parent, after_in_child=_after_in_child)
