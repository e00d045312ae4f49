"""The cost of the checks of migrations: twenty revisions over asyncpg, each up, down and up again.

Run ``python benchmarks/migrations.py [blocks]``. Compared are the checks, which walk over one revision after the other
in the same database and compare the schema at each stop; the same walks from an empty database for each revision,
without any comparison; and one database that goes up revision by revision and down again. The processor time is that
of client and server together, which other work on the machine changes less.
"""

from __future__ import annotations

import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

from figures import interleaved, judged, machine, milliseconds, ratio, table, timed
from processor import of_server, parent
from workshop import cache

from pytest_crucible.migrations import Migrations
from pytest_crucible.migrations.walks import walk
from pytest_crucible.settings import Settings
from pytest_crucible.worker.worker import Worker

REVISIONS = 20
CHECKS = "the checks"
# The checks migrate 60 times, up and down 40 times.
LIMIT = 2.0
INI = "[alembic]\nscript_location = %(here)s\npath_separator = os\n"
ENV = """
import asyncio
from alembic import context
from sqlalchemy.ext.asyncio import create_async_engine
from sqlalchemy.pool import NullPool

def migrate(connection):
    context.configure(connection=connection)
    with context.begin_transaction():
        context.run_migrations()

async def main():
    engine = create_async_engine("postgresql+asyncpg://app@nowhere.invalid/app", poolclass=NullPool)
    async with engine.connect() as connection:
        await connection.run_sync(migrate)

asyncio.run(main())
"""
REVISION = """
import sqlalchemy as sa
from alembic import op

revision = "{number:04}"
down_revision = {parent!r}

def upgrade():
    op.create_table("t{number}", sa.Column("id", sa.Integer, primary_key=True), sa.Column("name", sa.Text))
    op.create_index("i{number}", "t{number}", ["name"])

def downgrade():
    op.drop_table("t{number}")
"""


def write(folder: Path) -> None:
    """Alembic's scripts."""
    (folder / "versions").mkdir()
    (folder / "alembic.ini").write_text(INI, "utf-8")
    (folder / "env.py").write_text(ENV, "utf-8")
    for number in range(1, REVISIONS + 1):
        parent = f"{number - 1:04}" if number > 1 else None
        text = REVISION.format(number=number, parent=parent)
        (folder / "versions" / f"{number:04}.py").write_text(text, "utf-8")


def checked(worker: Worker) -> None:
    """Walk the revisions as the checks do."""
    migrations = Migrations(worker, worker.settings)
    for revision in migrations.revisions.all:
        walk(migrations, revision.id)
    migrations.close()


def from_nothing(worker: Worker) -> None:
    """Build each revision from an empty database."""
    migrations = Migrations(worker, worker.settings)
    for revision in migrations.revisions.all:
        with migrations.empty() as database:
            for step in (database.upgrade, database.downgrade, database.upgrade):
                step(migrations.below(revision) if step == database.downgrade else revision.id)


def in_one(worker: Worker) -> None:
    """Walk up and down in one database."""
    migrations = Migrations(worker, worker.settings)
    with migrations.empty() as database:
        for revision in migrations.revisions.all:
            database.upgrade(revision.id)
        for revision in reversed(migrations.revisions.all):
            database.downgrade(migrations.below(revision))


def used(act: Callable[[], object], postmaster: int) -> float:
    """Return the seconds of processor time that *act* takes."""
    began = time.process_time() + of_server(postmaster)
    act()
    return time.process_time() + of_server(postmaster) - began


def main(folder: Path, blocks: int) -> None:
    """Measure and print."""
    write(folder)
    worker = Worker(Settings(root=folder, alembic="alembic.ini"), "be9c4a12", "main")
    worker.redirect.install()
    ways = {"one database, up and down": in_one, CHECKS: checked, "an empty database for each": from_nothing}
    try:
        postmaster = parent(worker.server.connect()._value("SELECT pg_backend_pid()"))
        clocks = {"ms": timed, "ms of processor time": lambda act: used(act, postmaster)}
        for unit, clock in clocks.items():
            acts = {name: lambda way=way, clock=clock: clock(lambda: way(worker)) for name, way in ways.items()}
            found = interleaved(acts, blocks=blocks, rounds=1)
            first = next(iter(ways))
            rows = []
            for name in ways:
                times = ratio(found, name, first)
                expected = judged(times.median, LIMIT) if name == CHECKS else ""
                rows.append([name, milliseconds(found, name), times, expected])
            table("Migrations", [f"{REVISIONS} revisions", unit, "times up and down", "expected"], rows)
    finally:
        worker.close()


if __name__ == "__main__":
    machine()
    with cache(), tempfile.TemporaryDirectory() as folder:
        main(Path(folder), int(sys.argv[1]) if len(sys.argv) > 1 else 5)
