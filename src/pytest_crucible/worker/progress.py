"""Progress of work that takes longer than a second, as lines for the user."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

FIRST_SECONDS = 1.0
NEXT_SECONDS = 30.0


class Progress:
    """Lines for the user about work that takes long.

    Attributes:
        say: Called with each line; from another thread, too.
    """

    def __init__(self) -> None:
        self.say: Callable[[str], None] = lambda line: None  # until the run has a terminal

    @contextmanager
    def of(self, doing: Callable[[], str], done: str) -> Iterator[None]:
        """Print a line once the work takes longer than a second, then every half minute, and at its end.

        Args:
            doing: Returns a description of the work.
            done: The line for the end.
        """
        began = time.monotonic()
        ended = threading.Event()
        watcher = threading.Thread(target=self._watch, args=(doing, ended), name="crucible-progress", daemon=True)
        watcher.start()
        result = done
        try:
            yield
        except BaseException as error:
            result = f"failed with {type(error).__name__}"
            raise
        finally:
            ended.set()
            watcher.join()
            if time.monotonic() - began >= FIRST_SECONDS:
                self.say(f"{result}, after {time.monotonic() - began:.1f} s")

    def _watch(self, doing: Callable[[], str], ended: threading.Event) -> None:
        began = time.monotonic()
        wait = FIRST_SECONDS
        while not ended.wait(wait):
            self.say(f"{doing()} ({time.monotonic() - began:.0f} s so far)")
            wait = NEXT_SECONDS
