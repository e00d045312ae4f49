"""URLs of the embedded server that a type of URL refuses, such as pydantic's ``PostgresDsn``: they have no host."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from typing import Any

from ..errors.hints import chain

OF_A_SOCKET = re.compile(r"postgres\w*(\+\w+)?://[^/@]*@/[^?]*\?(.*&)?host=")
TYPES = ("url_", "value_error.url")  # of pydantic 2 and 1


def explain(error: BaseException) -> Iterator[str]:
    """Yield a hint if *error* refuses the URL that `crucible_url_env` has set."""
    if parts := refused(error):
        yield "\n".join(parts)


def refused(error: BaseException) -> tuple[str, str] | None:
    """Return the probable cause and the remedy if *error* refuses the URL that `crucible_url_env` has set."""
    texts = [str(entry.get("input", "")) for part in chain(error) for entry in _entries(part)]
    name = next((name for name, url in os.environ.items() if OF_A_SOCKET.match(url) and _is_in(texts, url)), None)
    if name is None:
        return None
    why = (
        f"Probably crucible_url_env is the cause: it sets {name} to the URL of a unix socket, which has no host, and"
        " types of URLs such as pydantic's PostgresDsn refuse that."
    )
    do = (
        f"Take {name} out of crucible_url_env, and set it in .env or the conftest to any URL of PostgreSQL:"
        " SQLAlchemy's engines lead to Crucible's database whatever it says. For a driver without SQLAlchemy, make the"
        " field a str."
    )
    return why, do


def _is_in(texts: list[str], url: str) -> bool:
    return any(text in ("", url) for text in texts)  # pydantic 1 does not name its input


def _entries(error: BaseException) -> Iterator[dict[str, Any]]:
    """Yield the entries of a ``ValidationError`` of pydantic that are about a URL."""
    if type(error).__name__ == "ValidationError" and callable(entries := getattr(error, "errors", None)):
        yield from (entry for entry in entries() if str(entry.get("type", "")).startswith(TYPES))
