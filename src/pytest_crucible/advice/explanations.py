"""All explanations of errors; a run imports them at its first error."""

from __future__ import annotations

from collections.abc import Collection

from ..errors.hints import Explain
from ..settings import Settings, refused_urls
from . import sqlite_arguments
from .driver_connections import DriverHints
from .missing_relations import AbsentHints
from .superuser_statements import SuperuserHints


def explanations(settings: Settings, tables: Collection[str], *, is_ini: bool) -> list[Explain]:
    """Return the functions that explain errors of the application, of a driver or of PostgreSQL.

    Args:
        settings: What the user set.
        tables: The names of the tables that metadata had when the templates were built.
        is_ini: True if pytest's configuration is an ini file.
    """
    return [
        SuperuserHints(settings.server).explain,
        AbsentHints(settings, tables).explain,
        DriverHints(is_ini=is_ini).explain,
        refused_urls.explain,
        sqlite_arguments.explain,
    ]
