"""Errors about the names of the application's databases."""

from __future__ import annotations

from collections.abc import Iterable

from ..errors import UsageError


def no_such_database(asked: str, names: Iterable[str]) -> UsageError:
    """Return the error for a database *asked* that is none of *names*."""
    return UsageError(
        f"There is no database {asked!r} here.",
        why=f"These are named: {', '.join(map(repr, names)) or 'none'}.",
        do=f'Write crucible_databases = ["{asked}=package.module:Base"], or give no name for the main one.',
    )


def not_while_filling(name: str) -> UsageError:
    """Return the error for code that fills one template and connects to another database, *name*."""
    return UsageError(
        f"A template is being built, and what fills it connects to the database {name!r}.",
        why="Each database has a template of its own; crucible_load fills the main one only.",
        do=f"Fill {name!r} in a session-scoped fixture: what that commits stays for all tests.",
    )
