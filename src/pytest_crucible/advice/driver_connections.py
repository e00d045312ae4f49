"""Hints on connections that a driver opens by itself, past SQLAlchemy, without finding a server."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

from ..errors import locations
from ..errors.hints import chain, sqlstate

FAILED = re.compile(
    r"connection (to server|failed|is bad|timeout)|could not (connect|translate)|failed to resolve", re.IGNORECASE
)


class DriverHints:
    """Hints on connections that a driver opened by itself.

    Args:
        is_ini: True if pytest's configuration is an ini file, whose lists have no brackets.
    """

    def __init__(self, *, is_ini: bool = False) -> None:
        self._entry = "DATABASE_URL=postgresql" if is_ini else '["DATABASE_URL=postgresql"]'

    def explain(self, error: BaseException) -> Iterator[str]:
        """Yield a hint if *error* is that of a driver which opened a connection by itself and could not connect."""
        parts = list(chain(error))
        # An engine's connection leads to Crucible's server, whatever its URL says.
        if any("orig" in vars(part) for part in parts):
            return
        driver = next(filter(None, map(_driver, parts)), None)
        if driver is not None:
            location = locations.of_error(error)
            yield (
                f"Crucible leads SQLAlchemy's engines to its database; {driver} opened this connection by itself"
                f"{f' ({location})' if location else ''}.\n"
                "If that code creates or drops the tests' database, remove it: Crucible has created one. Otherwise give"
                " it the worker database's URL, by the fixture database_url or by an environment variable:"
                f" crucible_url_env = {self._entry}."
            )


def _driver(error: BaseException) -> str | None:
    """Return the driver that could not connect, if *error* says so; else None."""
    package = type(error).__module__.partition(".")[0]
    if package in ("psycopg", "psycopg2"):
        return package if sqlstate(error) is None and FAILED.search(str(error)) else None
    return "asyncpg" if isinstance(error, OSError) and _came_through_asyncpg(error) else None


def _came_through_asyncpg(error: BaseException) -> bool:
    traceback = error.__traceback__
    while traceback is not None:
        if Path(traceback.tb_frame.f_code.co_filename).parent.name == "asyncpg":
            return True
        traceback = traceback.tb_next
    return False
