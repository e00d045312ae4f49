"""psycopg, imported when one of its names is used: a run that needs no database does without, which saves 35 ms.

The names here are the modules to the type checker, and to Python objects with the same attributes.
"""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from importlib import import_module
from typing import TYPE_CHECKING

__all__ = ["imported_meanwhile", "psycopg", "sql"]

if TYPE_CHECKING:
    import psycopg
    from psycopg import sql
else:

    class _Late:
        """A module that is imported on first use; each later use is a look-up in a dictionary."""

        def __init__(self, name: str) -> None:
            self._name = name

        def __getattr__(self, attribute: str) -> object:
            return getattr(import_module(self._name), attribute)

    psycopg, sql = _Late("psycopg"), _Late("psycopg.sql")


@contextmanager
def imported_meanwhile() -> Iterator[None]:
    """Import psycopg in the background while the block runs.

    The block may not import a part of psycopg before psycopg itself: it would hold the lock of that part and wait for
    the whole, while the thread does the reverse, and Python resolves that with modules that are half imported. So the
    import never outlasts the block, after which the application imports what it likes.
    """
    thread = threading.Thread(target=import_module, args=("psycopg",), name="crucible-import", daemon=True)
    thread.start()
    try:
        yield
    finally:
        thread.join()
