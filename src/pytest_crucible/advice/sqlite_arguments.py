"""Hints on the arguments of SQLite's driver, which a driver for PostgreSQL refuses."""

from __future__ import annotations

from collections.abc import Iterator

from ..errors.hints import chain

ARGUMENT = "check_same_thread"
HINT = (
    f"{ARGUMENT} is an argument of SQLite's driver, and this engine connects to PostgreSQL: leave it out of"
    " connect_args where the engine is made, and with it poolclass=StaticPool, which databases in memory need."
)


def explain(error: BaseException) -> Iterator[str]:
    """Yield a hint if a driver refuses an argument of SQLite's."""
    if any(ARGUMENT in str(part) and isinstance(part, Exception) for part in chain(error)):
        yield HINT
