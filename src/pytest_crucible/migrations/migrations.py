"""The migrations of a project, and databases that stand at any of their revisions."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing, contextmanager, suppress
from dataclasses import dataclass
from functools import cached_property, partial
from typing import TYPE_CHECKING

from ..control import templates
from ..errors import MigrationError, UsageError
from ..recipes.alembic.scripts import Scripts
from ..settings import Settings
from ..worker.worker import Worker
from .revisions import BASE, Revision, Revisions
from .scratch import Scratch

if TYPE_CHECKING:
    from .walks import Walk

PYPROJECT = "pyproject.toml"


@dataclass
class Stock:
    """A database that is kept, and upgraded further whenever a later revision is wanted."""

    database: Scratch
    applied: frozenset[str]


class Migrations:
    """The migrations of a project, and databases that stand at any of their revisions.

    Two are kept. Only upgrades change the stock; others are copied from it. Walks go down and up again in a copy, one
    after the other, as long as each leaves it as it was, rows included: none finds what another one has done.

    Attributes:
        walks: The results of walks over single revisions, shared by the checks.
    """

    def __init__(self, worker: Worker, settings: Settings) -> None:
        self.settings = settings
        self._worker = worker
        self._stock: Stock | None = None
        self._walked: Stock | None = None
        self._broken: dict[str, MigrationError] = {}
        self._catalogs: dict[frozenset[str], list[str]] = {}
        self.walks: dict[str, Walk | MigrationError] = {}

    @cached_property
    def scripts(self) -> Scripts:
        """The scripts that ``crucible_alembic`` names."""
        return Scripts(self.settings)

    @cached_property
    def revisions(self) -> Revisions:
        """All revisions.

        Raises:
            MigrationError: If they cannot be read.
        """
        return Revisions(self.scripts)

    @cached_property
    def owner(self) -> str:
        """The role that migrates: the owner of the template."""
        return self._worker.find_owner()

    @contextmanager
    def at(self, *revisions: str) -> Iterator[Scratch]:
        """Yield a new database upgraded to *revisions*, and redirect every engine to it meanwhile.

        ::

            with migrations.at("0003") as database:
                database.execute("INSERT INTO users (email) VALUES ('ada@example.org')")
                database.upgrade("0004")
                assert database.execute("SELECT name FROM users") == [("ada",)]

        Args:
            *revisions: Revisions as Alembic takes them: an identifier, ``head``, ``base``.

        Raises:
            MigrationError: If a migration on the way there fails, or there is no such revision.
        """
        with self.copy(*revisions) as database, database.leading():
            yield database

    @contextmanager
    def copy(self, *revisions: str) -> Iterator[Scratch]:
        """Yield such a database without redirecting any engine to it."""
        with self._dropping() as name, closing(self._clone(name, self._resolved(revisions))) as database:
            yield database

    def refuse_unreachable(self, *revisions: str) -> None:
        """Refuse *revisions* if one of them, or one that comes before them, is known to fail."""
        for broken, error in self._broken.items():
            if broken in revisions:
                raise error.with_traceback(None)
            if broken in self.revisions.applied_at(*revisions):
                raise _unreachable(revisions, broken, error)

    def catalog_at(self, *revisions: str) -> list[str]:
        """Return the schema after the upgrade to *revisions*."""
        applied = self.revisions.applied_at(*revisions)
        if applied not in self._catalogs:
            self._catalogs[applied] = self.walked_at(*revisions).catalog()
        return self._catalogs[applied]

    def walked_at(self, *revisions: str) -> Scratch:
        """Return the database for walks, upgraded to *revisions*."""
        wanted = self.revisions.applied_at(*revisions)
        if self._walked is not None and self._walked.applied <= wanted:
            with suppress(MigrationError):  # the stock tells whether a migration is to blame
                self._advance(self._walked, revisions)
                return self._walked.database
        self.drop_walked()
        self._walked = Stock(self._clone(self._worker.spare(), revisions), wanted)
        return self._walked.database

    def drop_walked(self) -> None:
        """Drop the database for walks; the next one begins with a new copy."""
        self._drop(self._walked)
        self._walked = None

    @contextmanager
    def empty(self) -> Iterator[Scratch]:
        """Yield a database that has only ``crucible_extensions``; no engine is redirected to it."""
        with self._dropping() as name, closing(self._create(name)) as database:
            yield database

    def before(self, revision: Revision) -> tuple[str, ...]:
        """Return the revisions to be applied right before *revision*."""
        return (*revision.parents, *revision.needs)

    def below(self, revision: Revision) -> str:
        """Return the argument of ``alembic downgrade`` that undoes only *revision*, the last one applied."""
        return revision.parents[0] if revision.parents else f"{revision.id}@{BASE}"

    def close(self) -> None:
        """Drop the databases that are kept."""
        self.drop_walked()
        self._drop_stock()

    # -- the stock ---------------------------------------------------------------------------------------------------

    def _resolved(self, revisions: tuple[str, ...]) -> tuple[str, ...]:
        return tuple(revision for name in revisions if name != BASE for revision in self.scripts.resolve(name))

    def _stock_at(self, revisions: tuple[str, ...]) -> Scratch:
        self.refuse_unreachable(*revisions)
        wanted = self.revisions.applied_at(*revisions)
        if self._stock is None or not self._stock.applied <= wanted:
            self._drop_stock()
            database = self._create(self._worker.spare())
            self._stock = Stock(database, frozenset())
            database.prepare()
        try:
            self._advance(self._stock, revisions)
        except MigrationError as error:
            self._drop_stock()  # it is unknown which revisions are applied in it
            if error.revision is not None:
                self._broken[error.revision] = error
            raise
        return self._stock.database

    def _advance(self, stock: Stock, revisions: tuple[str, ...]) -> None:
        wanted = self.revisions.applied_at(*revisions)
        if stock.applied != wanted:
            for revision in revisions:
                stock.database.upgrade(revision)
            stock.applied = wanted

    def _clone(self, name: str, revisions: tuple[str, ...]) -> Scratch:
        stock = self._stock_at(revisions)
        stock.close()
        admin = self._worker.server.connect()
        admin.empty(stock.name)
        templates.clone(admin, templates.Template(stock.name, self.owner), name)
        return self._scratch(name)

    def _drop_stock(self) -> None:
        self._drop(self._stock)
        self._stock = None

    def _drop(self, stock: Stock | None) -> None:
        if stock is not None:
            stock.database.close()
            self._worker.server.connect().drop(stock.database.name)

    @contextmanager
    def _dropping(self) -> Iterator[str]:
        name = self._worker.spare()
        try:
            yield name
        finally:
            self._worker.server.connect().drop(name)

    def _create(self, name: str) -> Scratch:
        templates.create_empty(self._worker.server.connect(), name, self.owner, self.settings.locale)
        database = self._scratch(name)
        database.extend(self.settings.extensions, embedded=self.settings.server == "embedded")
        return database

    def _scratch(self, name: str) -> Scratch:
        worker = self._worker
        mend = partial(worker.server.roles().create_missing, owner=self.owner)
        return Scratch(worker.server.connect(), worker.redirect, self.scripts, name, self.owner, mend)


def _unreachable(revisions: tuple[str, ...], broken: str, error: MigrationError) -> MigrationError:
    return MigrationError(
        f"Revision {', '.join(revisions)} cannot be reached: revision {broken} comes before it, and fails.",
        why=error.found,
        do=f"Correct revision {broken} first.",
    )


def with_scripts(settings: Settings, config: str | None = None) -> Settings:
    """Return *settings* with Alembic's configuration: *config*, ``crucible_alembic``, or the file that Alembic finds.

    A project may build its template from metadata and still have its migrations checked.

    Raises:
        UsageError: If there is none.
    """
    name = (
        config
        or settings.alembic
        or next((name for name in ("alembic.ini", PYPROJECT) if _is_in(settings, name)), None)
    )
    if name is None:
        by_schema = " The schema is made by crucible_schema, and only Alembic's revisions can be checked one by one."
        raise UsageError(
            f"A check of migrations finds none: there is no alembic.ini in {settings.root}.",
            why="crucible_alembic is not set, and pyproject.toml has no [tool.alembic]."
            + (by_schema if settings.schema else ""),
            do='Set crucible_alembic = "path/to/alembic.ini"; or, if the template is built from metadata, mark the'
            ' tests: pytestmark = pytest.mark.crucible(alembic="path/to/alembic.ini")',
        )
    return settings._replace(alembic=name)


def _is_in(settings: Settings, name: str) -> bool:
    file = settings.root / name
    return file.is_file() and (name != PYPROJECT or "[tool.alembic" in file.read_text("utf-8"))
