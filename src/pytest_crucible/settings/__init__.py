"""The settings of the user: one table of options, and their values."""

from __future__ import annotations

from .needed_versions import too_old
from .option import Option
from .preferred_drivers import ASYNC_DRIVERS, SYNC_DRIVERS
from .table import ISOLATIONS, OPTIONS, Settings, resolve
from .url_variables import UrlVariable

__all__ = [
    "ASYNC_DRIVERS",
    "ISOLATIONS",
    "OPTIONS",
    "SYNC_DRIVERS",
    "Option",
    "Settings",
    "UrlVariable",
    "resolve",
    "too_old",
]
