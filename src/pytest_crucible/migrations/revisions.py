"""The revisions of a project, and which come before which."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from ..recipes.alembic.scripts import Scripts

if TYPE_CHECKING:
    from alembic.script import Script

BASE = "base"


@dataclass(frozen=True)
class Revision:
    """One revision.

    Attributes:
        id: Its identifier.
        file: Where it is written, relative to the folder of ``alembic.ini``.
        doc: Its message.
        parents: The revisions that it revises; none where a branch begins.
        needs: Others that it depends on.
    """

    id: str
    file: str
    doc: str
    parents: tuple[str, ...]
    needs: tuple[str, ...]

    def __str__(self) -> str:
        return f"revision {self.id} ({self.file})"


class Revisions:
    """All of them, each after those that it needs.

    Args:
        scripts: Where they are.

    Raises:
        MigrationError: If they cannot be read.
    """

    def __init__(self, scripts: Scripts) -> None:
        self.all = [_revision(script, scripts) for script in scripts.revisions]
        self._by_id = {revision.id: revision for revision in self.all}

    def __getitem__(self, id: str) -> Revision:  # noqa: A002
        return self._by_id[id]

    @property
    def heads(self) -> list[Revision]:
        """Those that no other revises."""
        revised = {parent for revision in self.all for parent in revision.parents}
        return [revision for revision in self.all if revision.id not in revised]

    def applied_at(self, *ids: str) -> frozenset[str]:
        """Every revision that is applied in a database that was upgraded to *ids*."""
        found: set[str] = set()
        left = list(ids)
        while left:
            revision = self._by_id[left.pop()]
            if revision.id not in found:
                found.add(revision.id)
                left += (*revision.parents, *revision.needs)
        return frozenset(found)


def _revision(script: Script, scripts: Scripts) -> Revision:
    directory = scripts.directory
    needs = directory.get_revisions(script.dependencies) if script.dependencies else ()
    return Revision(
        script.revision,
        os.path.relpath(Path(script.path).resolve(), scripts.folder),
        (script.doc or "").strip().partition("\n")[0],
        _ids(script.down_revision),
        tuple(found.revision for found in needs),
    )


def _ids(given: str | list[str] | tuple[str, ...] | None) -> tuple[str, ...]:
    if given is None:
        return ()
    return (given,) if isinstance(given, str) else tuple(given)
