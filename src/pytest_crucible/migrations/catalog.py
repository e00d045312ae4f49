"""The schema of a database, as lines that can be compared."""

from __future__ import annotations

from difflib import SequenceMatcher
from functools import cache
from importlib.resources import files
from typing import Any

import psycopg

# An empty search_path for the session: every name has its schema, whatever a migration set for the database.
# Compiling the query would take longer than running it.
OPTIONS = "-c search_path= -c jit=off"


@cache
def _query() -> str:
    return (files(__package__) / "catalog.sql").read_text("utf-8")


def catalog(connection: psycopg.Connection[tuple[Any, ...]]) -> list[str]:
    """Return every fact of the schema in the database of *connection*, as ``catalog.sql`` defines them."""
    return [line for (line,) in connection.execute(_query().encode(), prepare=True).fetchall()]


def difference(before: list[str], after: list[str]) -> str:
    """Return the lines that only *before* (``-``) or only *after* (``+``) has; "" if both are alike."""
    lines: list[str] = []
    for tag, old, old_end, new, new_end in SequenceMatcher(None, before, after, autojunk=False).get_opcodes():
        if tag != "equal":
            lines += _signed("-", before[old:old_end]) + _signed("+", after[new:new_end])
    return "\n".join(lines)


def _signed(sign: str, facts: list[str]) -> list[str]:
    return [f"{sign} {line}" for fact in facts for line in fact.rstrip().splitlines()]
