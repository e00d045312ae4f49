"""Hooks around each ``os.fork()`` of this process.

A forked child has a copy of everything: of connections that the parent still uses, of locks held by threads that the
child does not have, of the duty to drop the worker databases. Each part that must handle this registers by `watch`.

Threads
-------
Crucible's own threads end before a fork and start again after it, in the parent only: the child gets no lock that one
of them holds, and at the fork the process has no thread of Crucible. Python 3.12 and later warn of forks in a process
with threads, but count them after Crucible's have started again; so if there was no other thread, that warning is
filtered.
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
from typing import Any

# Objects of the parent that the child must not close: this list keeps them from being collected.
INHERITED: list[object] = []
_WARNING = r"This process \(pid=\d+\) is multi-threaded, use of \w+\(\) may lead to deadlocks in the child"
_TASKS = Path("/proc/self/task")
_GONE_SECONDS = 0.2
# A thread that waits for the forking thread cannot end before the fork.
_END_SECONDS = 2.0


class Forking:
    """A part of Crucible that acts before and after a fork; each method does nothing unless the part overrides it."""

    def before_fork(self) -> None:
        """Prepare, in the thread that forks."""

    def after_fork_in_parent(self) -> None:
        """Resume in the parent."""

    def after_fork_in_child(self) -> None:
        """Leave the parent's resources to the parent."""


class Background(Forking):
    """A daemon thread that ends before each fork and starts again after it.

    Args:
        name: The thread's name.
        run: The thread's work; returns soon after *wake* was called.
        wake: Makes *run* return.
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

    def wait(self) -> None:
        """Wait until the thread has ended by itself."""
        thread, self._thread = self._thread, None
        if thread is not None:
            thread.join()

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
        """Forget the thread, which the child does not have."""
        self._thread = None


def _await_end(thread: threading.Thread) -> None:
    """Wait until the system's thread has ended, too: before Python 3.13, ``join`` returns a little earlier."""
    task = _TASKS / str(thread.native_id)
    deadline = time.monotonic() + _GONE_SECONDS
    while task.exists() and time.monotonic() < deadline:
        time.sleep(0)


_watched: list[weakref.ref[Forking]] = []
_filter: list[Any] = []


def watch(part: Forking) -> None:
    """Call *part* around every fork, while it lives; before a fork, parts registered last are called first."""
    _watched[:] = [reference for reference in _watched if reference() is not None]
    _watched.append(weakref.ref(part))


def _parts() -> list[Forking]:
    return [part for reference in _watched if (part := reference()) is not None]


def _before() -> None:
    _remove_filter()
    for part in reversed(_parts()):
        part.before_fork()
    if sys.version_info >= (3, 12) and _threads() == 1:
        _add_filter()


def _after_in_parent() -> None:
    for part in _parts():
        part.after_fork_in_parent()


def _after_in_child() -> None:
    for part in _parts():
        part.after_fork_in_child()


def _threads() -> int:
    """Return the number of threads of this process, including those of C libraries where the system lists them."""
    try:
        return len(list(_TASKS.iterdir()))
    except OSError:
        return threading.active_count()


def _add_filter() -> None:
    before = list(warnings.filters)
    warnings.filterwarnings("ignore", _WARNING, DeprecationWarning)
    _filter[:] = [entry for entry in warnings.filters if entry not in before]


def _remove_filter() -> None:
    """Remove the warning's filter: at the next fork, Python may be right to warn."""
    for entry in _filter:
        with contextlib.suppress(ValueError):  # other filters are in effect by now
            warnings.filters.remove(entry)  # type: ignore[attr-defined]
    _filter.clear()


os.register_at_fork(before=_before, after_in_parent=_after_in_parent, after_in_child=_after_in_child)
