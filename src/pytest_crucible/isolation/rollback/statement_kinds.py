"""The kinds of statements, by their first words (pure)."""

from __future__ import annotations

import re

# After white space, comments and opening brackets.
_WORD = re.compile(r"(?:\s|\(|--[^\n]*(?:\n|$)|/\*.*?\*/)*(\w*)", re.DOTALL)
_READING = frozenset(
    [
        *("SELECT", "SHOW", "VALUES", "TABLE", "EXPLAIN", "FETCH", "MOVE", "DECLARE", "CLOSE", "PREPARE", "DEALLOCATE"),
        *("SAVEPOINT", "RELEASE", "ROLLBACK", "BEGIN", "START", "SET", "RESET", "LOCK", "DISCARD", "ANALYZE"),
        *("LISTEN", "UNLISTEN", "NOTIFY"),
    ]
)
_DATA = re.compile(r"\b(INSERT|UPDATE|DELETE|MERGE)\b", re.IGNORECASE)
_ENDING = frozenset(("COMMIT", "END", "ABORT"))
_TO_SAVEPOINT = re.compile(r"\s*ROLLBACK\s+((WORK|TRANSACTION)\s+)?TO\b", re.IGNORECASE)
_PREPARE = re.compile(r"\s*PREPARE\s+TRANSACTION\b", re.IGNORECASE)


def first_word(statement: str) -> str:
    """Return the first word in capitals; "" if the statement does not begin with a word."""
    match = _WORD.match(statement)
    return "" if match is None else match[1].upper()


def writes(statement: str) -> bool:
    """Return whether *statement* may change rows or schema; a SELECT of a function that writes goes unnoticed."""
    word = first_word(statement)
    return bool(_DATA.search(statement)) if word == "WITH" else word not in _READING


def ends_transaction(statement: str) -> bool:
    """Return whether *statement* commits or rolls back a whole transaction."""
    word = first_word(statement)
    if word == "ROLLBACK":
        return not _TO_SAVEPOINT.match(statement)
    return word in _ENDING or (word == "PREPARE" and bool(_PREPARE.match(statement)))


def sets(statement: str) -> bool:
    """Return whether *statement* may change the modes of constraints."""
    return first_word(statement) == "SET"


def is_ddl(statement: str) -> bool:
    """Return whether *statement* may change the schema."""
    return first_word(statement) in ("CREATE", "ALTER", "DROP")


def savepoint_in(statement: str) -> str | None:
    """Return the name of the savepoint that *statement* makes, or None."""
    return statement.split()[1].strip('"; ') if first_word(statement) == "SAVEPOINT" else None
