"""URLs of the embedded server that a type of URL refuses, such as pydantic's ``PostgresDsn``: they have no host."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from typing import Any

from ..errors.hints import chain
from .url_variables import UrlVariable

OF_A_SOCKET = re.compile(r"(postgres\w*(?:\+\w+)?)://[^/@]*@/[^?]*\?(.*&)?host=")
TYPES = ("url_", "value_error.url")  # of pydantic 2 and 1


def explain(error: BaseException) -> Iterator[str]:
    """Yield a hint if *error* refuses the URL that `crucible_url_env` has set."""
    if parts := refused(error):
        yield "\n".join(parts)


def refused(error: BaseException) -> tuple[str, str] | None:
    """Return the probable cause and the remedy if *error* refuses the URL that `crucible_url_env` has set."""
    texts = [str(entry.get("input", "")) for part in chain(error) for entry in _entries(part)]
    urls = ((name, url, OF_A_SOCKET.match(url)) for name, url in os.environ.items())
    name, scheme = next(((name, match[1]) for name, url, match in urls if match and _is_in(texts, url)), ("", ""))
    if not name:
        return None
    why = (
        f"Probably crucible_url_env is the cause: it sets {name} to the URL of a unix socket, which has no host, and"
        " types of URLs such as pydantic's PostgresDsn refuse that."
    )
    do = (
        f"Name a host in crucible_url_env: {UrlVariable(name, scheme, 'localhost')} (and then the /database, if the"
        " entry has one). SQLAlchemy and libpq still connect to the socket; asyncpg without SQLAlchemy does not find"
        " the server by such a URL: for that, leave the host out, and make the field a str."
    )
    return why, do


def _is_in(texts: list[str], url: str) -> bool:
    return any(text in ("", url) for text in texts)  # pydantic 1 does not name its input


def _entries(error: BaseException) -> Iterator[dict[str, Any]]:
    """Yield the entries of a ``ValidationError`` of pydantic that are about a URL."""
    if type(error).__name__ == "ValidationError" and callable(entries := getattr(error, "errors", None)):
        yield from (entry for entry in entries() if str(entry.get("type", "")).startswith(TYPES))
