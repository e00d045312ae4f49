"""The SQL that Crucible runs itself, synchronously over psycopg."""

from __future__ import annotations

from .admin import Admin, connect
from .marks import DatabaseEntry
from .reset import Answer, Control, LockNotAvailable, OtherBackend
from .rights import Rights

__all__ = ["Admin", "Answer", "Control", "DatabaseEntry", "LockNotAvailable", "OtherBackend", "Rights", "connect"]
