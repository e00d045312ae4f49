"""Projects with Alembic scripts of every kind, on a server that all tests share."""

from __future__ import annotations

import importlib
import itertools
import shutil
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import inner_project
import psycopg
import pytest

from pytest_crucible.control import Admin
from pytest_crucible.migrations.migrations import Migrations, with_scripts
from pytest_crucible.server import Lease, lease
from pytest_crucible.settings import Settings
from pytest_crucible.worker.worker import Worker

NUMBERS = itertools.count(1)
# Imported before the first run inside, or each run would import them anew, which not every module in C survives.
MODULES = """
alembic.autogenerate alembic.command asyncpg fastapi httpx psycopg psycopg2 pytest_asyncio
sqlalchemy.dialects.postgresql.asyncpg sqlalchemy.dialects.postgresql.psycopg sqlalchemy.ext.asyncio
pytest_crucible.fixtures.with_anyio pytest_crucible.fixtures.with_asyncio pytest_crucible.migrations.checks
"""
CONFIGURATION = inner_project.configuration(
    crucible_app=None, crucible_metadata=None, crucible_alembic="alembic.ini", addopts=["-p", "no:cacheprovider"]
)

INI = """
[alembic]
script_location = %(here)s/migrations
path_separator = os
sqlalchemy.url = postgresql+psycopg://app:secret@db.production.invalid/app

[loggers]
keys = root
[handlers]
keys = console
[formatters]
keys = plain
[logger_root]
level = WARNING
handlers = console
[handler_console]
class = StreamHandler
args = (sys.stderr,)
formatter = plain
[formatter_plain]
format = %(message)s
"""

# As `alembic init` writes it.
SYNC_ENV = """
from logging.config import fileConfig

from alembic import context
from sqlalchemy import engine_from_config, pool

config = context.config
if config.config_file_name is not None:
    fileConfig(config.config_file_name)

target_metadata = None


def run_migrations_online():
    section = config.get_section(config.config_ini_section, {})
    connectable = engine_from_config(section, prefix="sqlalchemy.", poolclass=pool.NullPool)
    with connectable.connect() as connection:
        context.configure(connection=connection, target_metadata=target_metadata)
        with context.begin_transaction():
            context.run_migrations()


run_migrations_online()
"""

# As `alembic init -t async` writes it.
ASYNC_ENV = """
import asyncio
from logging.config import fileConfig

from alembic import context
from sqlalchemy import pool
from sqlalchemy.ext.asyncio import async_engine_from_config

config = context.config
if config.config_file_name is not None:
    fileConfig(config.config_file_name)

target_metadata = None


def do_run_migrations(connection):
    context.configure(connection=connection, target_metadata=target_metadata)
    with context.begin_transaction():
        context.run_migrations()


async def run_async_migrations():
    section = config.get_section(config.config_ini_section, {})
    connectable = async_engine_from_config(section, prefix="sqlalchemy.", poolclass=pool.NullPool)
    async with connectable.connect() as connection:
        await connection.run_sync(do_run_migrations)
    await connectable.dispose()


asyncio.run(run_async_migrations())
"""

REVISION = '''
"""{name}."""

import sqlalchemy as sa
from alembic import op

revision = "{name}"
down_revision = {parent!r}


def upgrade():
    {upgrade}


def downgrade():
    {downgrade}
'''


class Project:
    """A folder with ``alembic.ini`` and scripts, under a name that no other test uses."""

    def __init__(self, root: Path, server: tuple[Path, Path], admin: Admin) -> None:
        self.root = root
        self.server_root, self.server_cache = server
        self.admin = admin
        self.write("alembic.ini", INI)
        self.env(SYNC_ENV)

    def write(self, name: str, text: str) -> Path:
        return inner_project.write(self.root, name, text)

    def edit(self, name: str, old: str, new: str) -> None:
        text = (self.root / name).read_text("utf-8")
        assert old in text
        self.write(name, text.replace(old, new))

    def env(self, text: str) -> None:
        self.write("migrations/env.py", text)

    def revision(
        self,
        name: str,
        upgrade: str = "pass",
        downgrade: str = "pass",
        parent: str | tuple[str, ...] | None = None,
        folder: str = "migrations/versions",
    ) -> None:
        """Write a revision; a statement that begins with a capital letter is SQL."""
        words = {"name": name, "parent": parent, "upgrade": _code(upgrade), "downgrade": _code(downgrade)}
        self.write(f"{folder}/{name}.py", REVISION.format(**words))

    def settings(self, **words: object) -> Settings:
        return Settings(**({"root": self.root, "alembic": "alembic.ini"} | words))

    def worker(self, run: str = "aaaaaaaa", **words: object) -> Worker:
        """Return a worker with a share in the server; to be closed."""
        worker = Worker(self.settings(**words), run, "main")
        worker.server._lease = lease("embedded", root=self.server_root, cache=self.server_cache)
        worker.redirect.install()
        worker.templates.pass_over_engines()  # of tests before
        return worker

    def databases(self) -> set[str]:
        return {name for name in self.admin.databases("crucible_") if self.root.name in name}


def _code(text: str) -> str:
    return f'op.execute("""{text}""")' if text[:1].isupper() else text.replace("\n", "\n    ")


@pytest.fixture(scope="session")
def server(tmp_path_factory: pytest.TempPathFactory, server_cache: Path) -> Iterator[tuple[Lease, Path]]:
    for name in MODULES.split():
        importlib.import_module(name)
    root = tmp_path_factory.mktemp("server")
    held = lease("embedded", root=root, cache=server_cache)
    yield held, root
    held.release()


@pytest.fixture(scope="session")
def admin(server: tuple[Lease, Path]) -> Iterator[Admin]:
    admin = Admin(server[0])
    yield admin
    admin.close()


@pytest.fixture
def scripts(
    server: tuple[Lease, Path], server_cache: Path, admin: Admin, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Project]:
    """Yield a project with a synchronous ``env.py`` and no revision yet."""
    folder = tmp_path_factory.mktemp(f"alembic{next(NUMBERS)}x")
    modules = set(sys.modules)
    made = Project(folder, (server[1], server_cache), admin)
    yield made
    for name in made.databases():
        admin.drop(name)
    for name in set(sys.modules) - modules:
        if str(folder) in str(getattr(sys.modules[name], "__file__", "")):
            del sys.modules[name]


class Suite(Project):
    """A project whose tests run inside the tests of Crucible, on the same server."""

    pytester: pytest.Pytester

    def run(self, tests: str, *arguments: str, process: bool = False) -> pytest.RunResult:
        """Run *tests*, the text of one module; in a process of its own if asked."""
        path = self.write(f"test_suite{next(NUMBERS)}.py", tests)
        return inner_project.run(self.pytester, self.root, path, *arguments, process=process)


@pytest.fixture
def suite(
    server: tuple[Lease, Path],
    server_cache: Path,
    admin: Admin,
    pytester: pytest.Pytester,
    monkeypatch: pytest.MonkeyPatch,
) -> Suite:
    """Return a project with its configuration; its folder is emptied for each test, and its server stays."""
    _, root = server
    for path in root.iterdir():
        shutil.rmtree(path) if path.is_dir() else path.unlink()
    monkeypatch.chdir(root)
    monkeypatch.setenv("CRUCIBLE_CACHE", str(server_cache))
    monkeypatch.delenv("PYTHONDONTWRITEBYTECODE", raising=False)
    made = Suite(root, (root, server_cache), admin)
    made.pytester = pytester
    made.write("pyproject.toml", CONFIGURATION)
    return made


@pytest.fixture
def checked(work: Callable[..., Worker]) -> Iterator[Callable[..., Migrations]]:
    """Yield the migrations of the project as they are now, ready to be checked."""
    made: list[Migrations] = []

    def make(**words: object) -> Migrations:
        for earlier in made:
            earlier.close()
        worker = work(**words)
        made.append(Migrations(worker, with_scripts(worker.settings)))
        return made[-1]

    yield make
    for migrations in made:
        migrations.close()


@pytest.fixture
def work(scripts: Project) -> Iterator[Callable[..., Worker]]:
    """Make a worker of the project; all are closed at the end."""
    made: list[Worker] = []

    def make(run: str = "aaaaaaaa", **words: object) -> Worker:
        for earlier in made:
            earlier.redirect.remove()  # of two in one process, only one can lead
        made.append(scripts.worker(run, **words))
        return made[-1]

    yield make
    for worker in made:
        worker.close()


def _ask(worker: Worker, query: str) -> list[tuple[object, ...]]:
    with psycopg.connect(**worker.address().libpq(), autocommit=True) as connection:
        return connection.execute(query).fetchall()


@pytest.fixture
def ask() -> Callable[[Worker, str], list[tuple[object, ...]]]:
    """Ask the worker database something."""
    return _ask
