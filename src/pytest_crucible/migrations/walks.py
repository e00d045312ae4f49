"""One revision up, down and up again, and the schema at each stop."""

from __future__ import annotations

from dataclasses import dataclass

from ..errors import MigrationError
from .migrations import Migrations
from .revisions import Revision
from .scratch import Scratch


@dataclass(frozen=True)
class Walk:
    """What the schema was at each stop.

    Attributes:
        revision: The revision.
        before: Before it.
        done: After its upgrade.
        undone: After its downgrade; None where it says that it has none.
        again: After the second upgrade, or why that failed.
    """

    revision: Revision
    before: list[str]
    done: list[str]
    undone: list[str] | None
    again: list[str] | MigrationError


def walk(migrations: Migrations, name: str) -> Walk:
    """Walk revision *name*; once, however many checks look at it.

    Raises:
        MigrationError: If its upgrade or its downgrade fails, or one that comes before it.
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
    with migrations.copy(revision.id) as database:
        try:
            database.downgrade(migrations.below(revision))
        except MigrationError as error:
            if isinstance(error.__cause__, NotImplementedError):
                return Walk(revision, before, done, None, done)
            raise
        return Walk(revision, before, done, database.catalog(), _again(database, revision))


def _again(database: Scratch, revision: Revision) -> list[str] | MigrationError:
    try:
        database.upgrade(revision.id)
    except MigrationError as error:
        return error
    return database.catalog()
