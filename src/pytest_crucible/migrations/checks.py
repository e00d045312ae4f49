"""The checks: plain functions, and tests wherever a test module imports them."""

from __future__ import annotations

from unittest import SkipTest

from ..errors import MigrationError
from .catalog import difference
from .each import each_revision
from .migrations import Migrations
from .models import differences
from .revisions import Revision
from .walks import walk


def test_single_head(migrations: Migrations) -> None:
    """No two revisions are the newest: ``alembic upgrade head`` knows where to go.

    Raises:
        MigrationError: If several are.
    """
    heads = migrations.revisions.heads
    if len(heads) > 1:
        raise MigrationError(
            f"There are {len(heads)} heads: {', '.join(map(str, heads))}.",
            why=f"The revisions branch after {_branching(migrations, heads)}: probably two were made at the same"
            " time, each in a branch of its own.",
            do="Write the one as down_revision of the other, or join them: alembic merge heads",
        )


def test_upgrade(migrations: Migrations) -> None:
    """An empty database can be upgraded to the newest revision, in one go.

    Raises:
        MigrationError: If a migration fails.
    """
    with migrations.empty() as database:
        database.upgrade("heads")


@each_revision
def test_stairway(migrations: Migrations, revision: str) -> None:
    """The revision goes up, down and up again, and makes the same schema both times.

    Skipped where its ``downgrade()`` raises `NotImplementedError`: it says that it cannot be undone.

    Raises:
        MigrationError: If one of the three steps fails, or if the schemas differ.
    """
    found = walk(migrations, revision)
    if found.undone is None:
        raise _irreversible(found.revision)
    if isinstance(found.again, MigrationError):
        raise MigrationError(
            f"{found.revision} can be upgraded once, and not again after its downgrade: {found.again.found}",
            why="Its downgrade() leaves behind what upgrade() makes.",
            do="Undo it in downgrade(); test_downgrade_leaves_no_trace lists what is left.",
        ) from found.again.__cause__
    changes = difference(found.done, found.again)
    if changes:
        raise MigrationError(
            f"The second upgrade of {found.revision}, after its downgrade, makes another schema than the first, (-) and"
            f" (+):\n{changes}",
            why="Its downgrade() leaves something behind, or takes away too much, and upgrade() builds on that.",
            do="Correct downgrade(): it has to undo exactly what upgrade() does.",
        )


@each_revision
def test_downgrade_leaves_no_trace(migrations: Migrations, revision: str) -> None:
    """After the revision was undone, the schema is what it was before it.

    Skipped where its ``downgrade()`` raises `NotImplementedError`.

    Raises:
        MigrationError: If the schemas differ.
    """
    found = walk(migrations, revision)
    if found.undone is None:
        raise _irreversible(found.revision)
    changes = difference(found.before, found.undone)
    if changes:
        raise MigrationError(
            f"The downgrade of {found.revision} leaves traces: what was there only before the upgrade (-), and only"
            f" after the downgrade (+):\n{changes}",
            why=_reason(changes),
            do="Undo in downgrade() what is listed with +, and put back what is listed with -.",
        )


def test_models_match(migrations: Migrations) -> None:
    """The migrations make the tables that the models say: ``alembic check`` finds nothing to do.

    Raises:
        MigrationError: If it does, or if ``env.py`` does not know all of ``crucible_metadata``.
    """
    with migrations.copy("heads") as database:
        operations = differences(migrations, database)
    if operations:
        raise MigrationError(
            f"Models and migrations differ. A revision that makes the tables match the models would do:\n{operations}",
            why="A model was changed without a migration, or a migration makes something else than the model says.",
            do="alembic revision --autogenerate",
        )


def _reason(changes: str) -> str:
    if "+ type " in changes:
        return "PostgreSQL drops no type with the last column that has it, and Alembic writes no DROP TYPE."
    return "Its downgrade() does not undo all that its upgrade() does, or more than that."


def _irreversible(revision: Revision) -> SkipTest:
    return SkipTest(f"{revision} cannot be undone: its downgrade() raises NotImplementedError")


def _branching(migrations: Migrations, heads: list[Revision]) -> str:
    shared = frozenset.intersection(*(migrations.revisions.applied_at(head.id) for head in heads))
    last = [revision for revision in migrations.revisions.all if revision.id in shared]
    return str(last[-1]) if last else "nothing: they have no revision in common"
