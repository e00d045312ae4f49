"""Walks over one revision, up, down and up again, with the schema at each stop."""

from __future__ import annotations

from dataclasses import dataclass

from ..errors import MigrationError
from .migrations import Migrations
from .revisions import Revision
from .scratch import Scratch


@dataclass(frozen=True)
class Walk:
    """The schema at each stop of a walk.

    Attributes:
        revision: The revision.
        before: The schema before it.
        done: The schema after its upgrade.
        undone: The schema after its downgrade; None if its downgrade() raises `NotImplementedError`.
        again: The schema after the second upgrade, or after a downgrade() that raises `NotImplementedError`; or the
            error of that upgrade.
    """

    revision: Revision
    before: list[str]
    done: list[str]
    undone: list[str] | None
    again: list[str] | MigrationError


def walk(migrations: Migrations, name: str) -> Walk:
    """Walk over the revision *name* once, however many checks use the result, and return it.

    Raises:
        MigrationError: If its upgrade, its downgrade, or the upgrade of an earlier revision fails.
    """
    known = migrations.walks.get(name)
    if known is None:
        try:
            known = _walk(migrations, migrations.revisions[name])
        except MigrationError as error:
            known = error
        migrations.walks[name] = known
    if isinstance(known, MigrationError):
        raise known.with_traceback(None)
    return known


def _walk(migrations: Migrations, revision: Revision) -> Walk:
    migrations.refuse_unreachable(revision.id)
    before = migrations.catalog_at(*migrations.before(revision))
    done = migrations.catalog_at(revision.id)
    database = migrations.walked_at(revision.id)
    contents = database.contents()
    again = None
    try:
        undone, again = _down_and_up(database, revision, migrations.below(revision))
        return Walk(revision, before, done, undone, again)
    finally:
        if again != done or contents is None or database.contents() != contents:
            migrations.drop_walked()


def _down_and_up(
    database: Scratch, revision: Revision, below: str
) -> tuple[list[str] | None, list[str] | MigrationError]:
    try:
        database.downgrade(below)
    except MigrationError as error:
        if isinstance(error.__cause__, NotImplementedError):
            return None, database.catalog()
        raise
    return database.catalog(), _again(database, revision)


def _again(database: Scratch, revision: Revision) -> list[str] | MigrationError:
    try:
        database.upgrade(revision.id)
    except MigrationError as error:
        return error
    return database.catalog()
