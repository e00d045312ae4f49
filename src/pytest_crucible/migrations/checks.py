"""The checks: plain functions, which are tests in every test module that imports them."""

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
    """Check that only one revision is the newest, so that ``alembic upgrade head`` has one destination."""
    heads = migrations.revisions.heads
    if len(heads) > 1:
        raise MigrationError(
            f"There are {len(heads)} heads: {', '.join(map(str, heads))}.",
            why=f"The revisions branch after {_branching(migrations, heads)}: probably two were made at the same"
            " time, each on its own branch.",
            do="Make one the down_revision of the other, or join them: alembic merge heads",
        )


def test_upgrade(migrations: Migrations) -> None:
    """Check that an empty database can be upgraded to the newest revision."""
    with migrations.empty() as database:
        database.upgrade("heads")


@each_revision
def test_stairway(migrations: Migrations, revision: str) -> None:
    """Check that the revision goes up, down and up again, and makes the same schema both times.

    The test is skipped if ``downgrade()`` raises `NotImplementedError`, the sign that the revision cannot be undone.
    """
    result = walk(migrations, revision)
    if result.undone is None:
        raise _irreversible(result.revision)
    if isinstance(result.again, MigrationError):
        raise MigrationError(
            f"{result.revision} can be upgraded once, but not again after its downgrade: {result.again.found}",
            why="Its downgrade() leaves behind what upgrade() makes.",
            do="Undo it in downgrade(); test_downgrade_leaves_no_trace lists what is left.",
        ) from result.again.__cause__
    changes = difference(result.done, result.again)
    if changes:
        raise MigrationError(
            f"The upgrade of {result.revision} made one schema at first (-), and another one (+) after its"
            f" downgrade:\n{changes}",
            why="Its downgrade() leaves something behind, or removes too much, and upgrade() builds on that.",
            do="Correct downgrade(): it has to undo exactly what upgrade() does.",
        )


@each_revision
def test_downgrade_leaves_no_trace(migrations: Migrations, revision: str) -> None:
    """Check that the downgrade of the revision restores the schema from before its upgrade.

    The test is skipped if ``downgrade()`` raises `NotImplementedError`.
    """
    result = walk(migrations, revision)
    if result.undone is None:
        raise _irreversible(result.revision)
    changes = difference(result.before, result.undone)
    if changes:
        raise MigrationError(
            f"The downgrade of {result.revision} leaves traces: the schema before the upgrade (-), and after the"
            f" downgrade (+):\n{changes}",
            why=_reason(changes),
            do="In downgrade(), remove what is listed with +, and create again what is listed with -.",
        )


def test_models_match(migrations: Migrations) -> None:
    """Check that the migrations make the tables of the models: ``alembic check`` finds no difference."""
    with migrations.copy("heads") as database:
        operations = differences(migrations, database)
    if operations:
        raise MigrationError(
            f"Models and migrations differ. A revision that makes the tables match the models would do:\n{operations}",
            why="A model was changed without a migration, or a migration makes something different from the model.",
            do="alembic revision --autogenerate",
        )


def _reason(changes: str) -> str:
    if "+ type " in changes:
        return "PostgreSQL does not drop a type with its last column, and Alembic writes no DROP TYPE."
    return "Its downgrade() undoes less than its upgrade() does, or more."


def _irreversible(revision: Revision) -> SkipTest:
    return SkipTest(f"{revision} cannot be undone: its downgrade() raises NotImplementedError")


def _branching(migrations: Migrations, heads: list[Revision]) -> str:
    shared = frozenset.intersection(*(migrations.revisions.applied_at(head.id) for head in heads))
    last = [revision for revision in migrations.revisions.all if revision.id in shared]
    return str(last[-1]) if last else "nothing: they have no revision in common"
