"""The versions of pytest and its plugins without which no run can start."""

from __future__ import annotations

from ..errors import UsageError

NEEDED = {"pytest": "9.0", "pytest-asyncio": "1.0"}


def too_old(name: str, found: str) -> str:
    """Return the message for a version that is too old, which ``crucible init`` recognises by its first line."""
    error = UsageError(
        f"pytest-crucible needs {name} {NEEDED[name]}, found {found}.",
        why="Probably a requirement of the project pins it, or the requirements have not been installed.",
        do=f'Raise it there, and run: pip install "{name}>={NEEDED[name]}"',
    )
    return str(error)
