"""The SQL that Crucible runs itself, synchronously over psycopg."""

from __future__ import annotations

from .admin import Admin, connect
from .answer import Answer, OtherBackend
from .marks import DatabaseEntry
from .reset import Control
from .rights import Rights

__all__ = ["Admin", "Answer", "Control", "DatabaseEntry", "OtherBackend", "Rights", "connect"]
