"""Processor time: the cost of work, without the time that it waited for a core.

On a machine that others work on, a test of 3 ms may take 20 by the clock, and the ratio of two such figures says how
busy the machine was. Processor time of client and server together does not depend on that. Linux only; elsewhere it
is not a number.
"""

from __future__ import annotations

import math
import os
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


def _parent(pid: int) -> int:
    try:
        return int(_stat(pid)[1])
    except OSError:
        return 0
