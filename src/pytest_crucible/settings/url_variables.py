"""The entries of ``crucible_url_env``: environment variables that get the URL of a worker database."""

from __future__ import annotations

import re
from typing import NamedTuple

# Compiled on first use: every run of pytest in this environment imports them.
SCHEME = r"postgres(ql)?(\+\w+)?"
HOST = r"[a-zA-Z0-9]([a-zA-Z0-9.-]*[a-zA-Z0-9])?"


class UrlVariable(NamedTuple):
    """An environment variable, and the URL that it gets.

    Attributes:
        name: The variable.
        drivername: The scheme of its URL, ``postgresql+asyncpg``.
        host: The host that its URL names where the server is reached over a unix socket; empty for none.
        database: The database's name in the application's URLs; None for the main one.
    """

    name: str
    drivername: str
    host: str
    database: str | None = None

    def __str__(self) -> str:
        host = f"@{self.host}" if self.host else ""
        return f"{self.name}={self.drivername}{host}{f'/{self.database}' if self.database else ''}"


def parsed(entry: str) -> UrlVariable | None:
    """Return the variable of ``VARIABLE=postgresql+driver@host/database``; None if *entry* is none.

    Host and database may be left out.
    """
    name, _, value = entry.partition("=")
    beginning, slash, database = value.partition("/")
    scheme, at, host = beginning.partition("@")
    is_one = name.isidentifier() and re.fullmatch(SCHEME, scheme) and bool(slash) == bool(database)
    if not is_one or (at and not re.fullmatch(HOST, host)):
        return None
    return UrlVariable(name, scheme, host, database or None)
