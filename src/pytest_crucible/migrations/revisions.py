"""The revisions of a project, and their order."""

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
        file: Its file, relative to the folder of ``alembic.ini``.
        doc: Its message.
        parents: The revisions that it revises; none if it begins a branch.
        needs: The other revisions that it depends on.
    """

    id: str
    file: str
    doc: str
    parents: tuple[str, ...]
    needs: tuple[str, ...]

    def __str__(self) -> str:
        return f"revision {self.id} ({self.file})"


class Revisions:
    """All revisions of a project, each after those that it needs.

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
        """The revisions that no other one revises."""
        revised = {parent for revision in self.all for parent in revision.parents}
        return [revision for revision in self.all if revision.id not in revised]

    def applied_at(self, *ids: str) -> frozenset[str]:
        """Return every revision that is applied in a database upgraded to *ids*."""
        applied: set[str] = set()
        waiting = list(ids)
        while waiting:
            revision = self._by_id[waiting.pop()]
            if revision.id not in applied:
                applied.add(revision.id)
                waiting += (*revision.parents, *revision.needs)
        return frozenset(applied)


def _revision(script: Script, scripts: Scripts) -> Revision:
    directory = scripts.directory
    needs = directory.get_revisions(script.dependencies) if script.dependencies else ()
    return Revision(
        script.revision,
        os.path.relpath(Path(script.path).resolve(), scripts.folder),
        (script.doc or "").strip().partition("\n")[0],
        _ids(script.down_revision),
        tuple(needed.revision for needed in needs),
    )


def _ids(revisions: str | list[str] | tuple[str, ...] | None) -> tuple[str, ...]:
    if revisions is None:
        return ()
    return (revisions,) if isinstance(revisions, str) else tuple(revisions)
