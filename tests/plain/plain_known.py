"""Where a project does not yet have the same result under Crucible; each entry is one to remove."""

from __future__ import annotations

# A project, the values of axes that it takes, and what goes wrong.
KNOWN: list[tuple[str, dict[str, str], str]] = []
