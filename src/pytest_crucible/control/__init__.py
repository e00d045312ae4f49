"""The SQL that Crucible itself runs: synchronous, over psycopg."""

from __future__ import annotations

from .admin import Admin, connect
from .marks import Entry
from .reset import Answer, Control, LockNotAvailable, Stranger
from .rights import Rights

__all__ = ["Admin", "Answer", "Control", "Entry", "LockNotAvailable", "Rights", "Stranger", "connect"]
