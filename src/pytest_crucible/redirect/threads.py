"""Owners in threads: a thread works for the code that started it, an executor's thread for the code that submits.

A new thread begins with an empty context, so it would lose the owner of the code that starts it. Python has no event
for a new thread; this module wraps the two public methods through which threads get work. `anyio.to_thread` and
`asyncio.to_thread` pass the caller's context on by themselves.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from contextvars import ContextVar
from types import MethodType
from typing import Any

from ..project.patches import Patches

Owner = ContextVar["str | None"]


class ThreadOwners:
    """Wrappers around `threading.Thread.start` and `ThreadPoolExecutor.submit`.

    Args:
        owner: The owner of the code that runs in this context.
        starter: Returns the owner of a thread that is started now.
    """

    def __init__(self, owner: Owner, starter: Callable[[], str | None]) -> None:
        self._owner = owner
        self._starter = starter
        self._patches = Patches()

    def install(self) -> None:
        """Wrap both methods."""
        self._patches.put(threading.Thread, "start", self._wrapped_start())
        self._patches.put(ThreadPoolExecutor, "submit", self._wrapped_submit())

    def remove(self) -> None:
        """Unwrap both methods, unless other code has wrapped them since."""
        self._patches.undo()

    def _wrapped_start(self) -> Callable[[threading.Thread], None]:
        owner, starter, start = self._owner, self._starter, threading.Thread.start

        def start_owned(thread: threading.Thread) -> None:
            name = starter()
            if name is not None:
                run = thread.run

                def run_owned(self: threading.Thread) -> None:
                    vars(self).pop("run", None)  # else the thread would refer to itself
                    owner.set(name)
                    run()

                # A bound method, as before: other libraries wrap its function (Sentry's integration of threading).
                thread.run = MethodType(run_owned, thread)  # type: ignore[method-assign]
            start(thread)

        return start_owned

    def _wrapped_submit(self) -> Callable[..., Future[Any]]:
        owner, submit = self._owner, ThreadPoolExecutor.submit

        def submit_owned(executor: ThreadPoolExecutor, fn: Callable[..., Any], /, *args: Any, **kwargs: Any) -> Any:
            return submit(executor, _call_owned, owner, owner.get(), fn, *args, **kwargs)

        return submit_owned


def _call_owned(owner: Owner, name: str | None, fn: Callable[..., Any], /, *args: Any, **kwargs: Any) -> Any:
    token = owner.set(name)
    try:
        return fn(*args, **kwargs)
    finally:
        owner.reset(token)
