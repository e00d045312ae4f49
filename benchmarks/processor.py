"""Processor time: the cost of work, without the time that it waited for a core.

On a machine that others work on, a test of 3 ms may take 20 by the clock, and the ratio of two such figures says how
busy the machine was. Processor time of client and server together does not depend on that. Linux only; elsewhere it
is not a number.
"""

from __future__ import annotations

import ctypes
import math
import os
import resource
import time
from collections.abc import Callable
from pathlib import Path

PROC = Path("/proc")
TICK = os.sysconf("SC_CLK_TCK")
# The kernel counts a process when it leaves its core: after its answer, a backend does so within microseconds.
SETTLE = 0.0003


def of_process(pid: int) -> float:
    """Return the processor time of the process *pid* so far, in seconds."""
    try:
        return int((PROC / str(pid) / "schedstat").read_text().split()[0]) / 1e9
    except (OSError, ValueError):
        return math.nan


def of_server(postmaster: int) -> float:
    """Return the processor time of a server's processes so far; that of dead ones to a hundredth of a second."""
    try:
        mine = _stat(postmaster)
    except OSError:
        return math.nan
    each = [of_process(pid) for pid in _pids() if pid == postmaster or _parent(pid) == postmaster]
    # One that ended while we looked is among the dead of the next figure.
    return sum(used for used in each if not math.isnan(used)) + (int(mine[13]) + int(mine[14])) / TICK


def parent(pid: int) -> int:
    """Return the parent of *pid*: the postmaster of a backend."""
    return _parent(pid) if PROC.exists() else 0


def descendants(pid: int) -> list[int]:
    """Return the processes below *pid*, without itself."""
    parents = {each: _parent(each) for each in _pids()} if PROC.exists() else {}
    found = [pid]
    for each in found:
        found += [child for child, parent in parents.items() if parent == each]
    return found[1:]


def of_descendants() -> float:
    """Return the processor time of all processes below this one so far, of those that have ended as well.

    It is exact to a hundredth of a second for each process that is alive, if each process waits for its children and
    this one adopts those that are left (`adopt`).
    """
    ended = resource.getrusage(resource.RUSAGE_CHILDREN)
    alive = sum(_with_children(pid) for pid in descendants(os.getpid()))
    return ended.ru_utime + ended.ru_stime + alive if PROC.exists() else math.nan


def memory_of_descendants() -> int:
    """Return the bytes of memory of all processes below this one; of what several share, each counts its part."""
    return sum(_memory(pid) for pid in descendants(os.getpid()))


def adopt() -> None:
    """Become the parent of all processes below this one whose own parent ends."""
    set_child_subreaper = 36
    if PROC.exists():
        ctypes.CDLL(None).prctl(set_child_subreaper, 1, 0, 0, 0)


class Both:
    """A client's thread and the one backend that works for it.

    Args:
        backend: The pid of that backend.
    """

    def __init__(self, backend: int) -> None:
        self.backend = backend

    def of(self, act: Callable[[], object]) -> float:
        """Return the processor time of *act*, in seconds."""
        began = of_process(self.backend)
        mine = time.thread_time()
        act()
        mine = time.thread_time() - mine
        time.sleep(SETTLE)
        return mine + of_process(self.backend) - began


def _pids() -> list[int]:
    return [int(entry.name) for entry in PROC.iterdir() if entry.name.isdigit()]


def _stat(pid: int) -> list[str]:
    # The second field is the name, in parentheses, and may hold anything.
    return (PROC / str(pid) / "stat").read_text().rpartition(")")[2].split()


def _with_children(pid: int) -> float:
    try:
        return sum(map(int, _stat(pid)[11:15])) / TICK
    except OSError:
        return 0.0


def _memory(pid: int) -> int:
    try:
        words = (PROC / str(pid) / "smaps_rollup").read_text().split()
        return int(words[words.index("Pss:") + 1]) * 1024
    except (OSError, ValueError):
        return 0


def _parent(pid: int) -> int:
    try:
        return int(_stat(pid)[1])
    except OSError:
        return 0
