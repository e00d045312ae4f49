"""The settings of the user: one table of options, and their values."""

from __future__ import annotations

from .option import Option
from .table import ASYNC_DRIVERS, ISOLATIONS, OPTIONS, SYNC_DRIVERS, Settings, resolve

__all__ = ["ASYNC_DRIVERS", "ISOLATIONS", "OPTIONS", "SYNC_DRIVERS", "Option", "Settings", "resolve"]
