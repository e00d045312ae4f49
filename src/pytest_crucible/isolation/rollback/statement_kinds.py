"""What a statement does, by its first word (pure)."""

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
    """The first word in capitals; nothing where a statement begins with something else."""
    found = _WORD.match(statement)
    return "" if found is None else found[1].upper()


def writes(statement: str) -> bool:
    """Whether *statement* may change rows or schema. A function that writes, called by a SELECT, is not seen."""
    word = first_word(statement)
    return bool(_DATA.search(statement)) if word == "WITH" else word not in _READING


def ends_transaction(statement: str) -> bool:
    """Whether *statement* commits or rolls back a whole transaction."""
    word = first_word(statement)
    if word == "ROLLBACK":
        return not _TO_SAVEPOINT.match(statement)
    return word in _ENDING or (word == "PREPARE" and bool(_PREPARE.match(statement)))


def sets(statement: str) -> bool:
    """Whether *statement* may change the modes of constraints."""
    return first_word(statement) == "SET"


def is_ddl(statement: str) -> bool:
    """Whether *statement* may change the schema."""
    return first_word(statement) in ("CREATE", "ALTER", "DROP")


def savepoint_in(statement: str) -> str | None:
    """The name of the savepoint that *statement* makes, if it makes one."""
    return statement.split()[1].strip('"; ') if first_word(statement) == "SAVEPOINT" else None
