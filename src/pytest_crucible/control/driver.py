"""psycopg, imported when one of its names is used: a run that needs no database does without, which saves 35 ms.

The names here are the modules to the type checker, and to Python objects with the same attributes.
"""

from __future__ import annotations

import threading
from importlib import import_module
from typing import TYPE_CHECKING

__all__ = ["import_meanwhile", "psycopg", "sql"]

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


def import_meanwhile() -> None:
    """Import psycopg in the background; a use of it waits for that."""
    threading.Thread(target=import_module, args=("psycopg",), name="crucible-import", daemon=True).start()
