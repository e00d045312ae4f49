"""The scheduling of processes and threads: on a busy machine, one that waits for a processor is not silent.

Linux tells by ``/proc`` (proc_pid_stat(5)). Elsewhere nothing is known, and silence alone counts.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from concurrent.futures import Future
from pathlib import Path
from typing import Any


def in_thread(function: Callable[[], Any]) -> Future[Any]:
    """Call the function in a thread of its own, which keeps no process from its end."""
    future: Future[Any] = Future()
    future.set_running_or_notify_cancel()

    def run() -> None:
        try:
            future.set_result(function())
        except BaseException as error:  # noqa: BLE001 as an executor does
            future.set_exception(error)

    threading.Thread(target=run, name="crucible-race", daemon=True).start()
    return future


def is_runnable(process: int) -> bool:
    """Return whether the process runs, or waits for a processor; False if that is not known."""
    return _state(f"/proc/{process}/stat") == "R"


def is_thread_runnable(thread: int) -> bool:
    """Return whether the thread of this process, by its native identifier, runs or waits for a processor."""
    return _state(f"/proc/self/task/{thread}/stat") == "R"


def _state(path: str) -> str:
    try:
        # The name, in parentheses, may contain anything.
        return Path(path).read_text("utf-8", errors="replace").rpartition(")")[2].split()[0]
    except (OSError, IndexError):
        return ""
