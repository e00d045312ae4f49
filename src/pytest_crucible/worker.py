"""One process's share: the server leased, the templates found or built, and every engine led to its worker database.

One object per pytest process ties the planes together. A run whose tests never touch a database never gets further
than the redirect.
"""

from __future__ import annotations

import threading
import weakref
from contextlib import suppress
from functools import cached_property, partial

import psycopg
from sqlalchemy.engine import Engine

from . import names, recipes, reset, templates
from .admin import Admin
from .database import Database
from .errors import CrucibleError
from .recipes.engines import engines, roles
from .redirect import Origin, Redirect, Target
from .reset import Control, Rights
from .server import Lease, lease
from .server.address import Address
from .settings import Settings

# The owner of the schema where no engine of the application names a role.
DEFAULT_ROLE = "crucible"
# The layer of what is written while modules are imported.
IMPORT = 1


class Worker:
    """The worker databases of this process.

    Args:
        settings: What the user set.
        run: Names the run: the same in all of its workers.
        name: Names the worker in the run: ``gw0p4242``, or ``mainp4242``.

    Attributes:
        main: The main database.
        notes: What the run's summary should say.
    """

    def __init__(self, settings: Settings, run: str, name: str) -> None:
        self.settings = settings
        self.run = run
        self.redirect = Redirect(self._target)
        self.notes: list[str] = []
        self._project = names.label(settings.root.name, 24)
        self.main = Database(settings, partial(names.worker, self._project, run, name), self.prepare, self.notes)
        self._others: weakref.WeakSet[Engine] = weakref.WeakSet()
        self._lock = threading.RLock()
        self._lease: Lease | None = None
        self._admin: Admin | None = None

    # -- the main database -------------------------------------------------------------------------------------------

    @property
    def database(self) -> str:
        """The name of the main worker database."""
        return self.main.name

    @property
    def generation(self) -> int:
        """How often the main worker database was cloned."""
        return self.main.generation

    @property
    def control(self) -> Control:
        """The control connection to the main worker database; makes that ready first."""
        return self.main.control

    def ready(self) -> None:
        """Have the main worker database there and fresh."""
        self.prepare(self.main)

    def address(self) -> Address:
        """The main worker database, as the role that owns the schema."""
        return self._target(Origin("psycopg", None, None)).address

    # -- all databases -----------------------------------------------------------------------------------------------

    @property
    def databases(self) -> list[Database]:
        """Every database that was needed yet, and has not been lost since."""
        return [database for database in (self.main,) if database.started]

    @property
    def started(self) -> bool:
        """Whether anything has needed a database yet, and it has not been lost since."""
        return bool(self.databases)

    @property
    def stale(self) -> bool:
        """Whether the next user of a database gets a fresh clone."""
        return any(database.stale for database in self.databases)

    def discard(self) -> None:
        """Have the next user of each database get a fresh clone."""
        for database in self.databases:
            database.discard()

    def marks(self) -> int:
        """How many statements have written, and committed, since the baseline."""
        return sum(database.control.marks() for database in self.databases)

    def capture(self, layer: int) -> None:
        """Take what a wide fixture committed into *layer*."""
        for database in self.databases:
            database.capture(layer)

    def take_off(self, layer: int) -> None:
        """Take *layer* away, and put the databases back to what is left."""
        for database in self.databases:
            database.take_off(layer)

    # -- where everything leads --------------------------------------------------------------------------------------

    def _target(self, origin: Origin) -> Target:
        database = self.main
        target = database.targets.get(origin.user)
        if target is None or database.stale:
            self.prepare(database)
            role = self._role(database, origin.user)
            target = Target(self.admin.address.to(database.name, user=role), database.generation)
            database.targets[origin.user] = target
        return target

    def _role(self, database: Database, user: str | None) -> str:
        owner = database.template.owner
        if user is None or user == owner or not self.admin.owned:
            return owner
        if not self._is_ordinary(user):
            return owner
        if self.admin.role(user) or not database.control.has_grants(user):
            self.admin.join(user, owner)
            self.notes.append(f"role {user!r} has no privileges of its own: it joins {owner!r}, who owns the schema")
        return user

    def pass_over_engines(self) -> None:
        """The engines that are there now are not the application's: their roles count for nothing."""
        self._others.update(engines())

    def planned_url(self, drivername: str) -> str:
        """The worker database's URL before there is one: the server is leased, nothing is built."""
        admin = self.server().admin
        role = DEFAULT_ROLE if self.server().owned else admin.user
        return admin.to(self.database, user=role).url(drivername)

    # -- from nothing to a database ----------------------------------------------------------------------------------

    def server(self) -> Lease:
        """The share in the server, which is taken now if need be."""
        with self._lock:
            if self._lease is None:
                self._lease = lease(self.settings.server, root=self.settings.root)
            return self._lease

    @property
    def admin(self) -> Admin:
        """The server's administrator."""
        if self._admin is None:
            self._admin = Admin(self.server())
        return self._admin

    @cached_property
    def rights(self) -> Rights:
        """What the administrator may do in the databases that are made here."""
        rights = Rights(self.admin.superuser, self.admin.superuser or self.admin.may_replicate())
        self.notes += rights.notes()
        return rights

    def prepare(self, database: Database) -> None:
        """Have *database* there and fresh: build, clone, or clone anew after DDL."""
        if database.is_open and not database.stale:
            return
        with self._lock:
            if database.failure is not None:
                # Without the frames of the tests before, which would grow with each.
                raise database.failure.with_traceback(None)
            try:
                database.renew() if database.is_open else self._open(database)
            except Exception as error:
                # Every later test would fail alike, after the same wait.
                database.failure = error
                raise

    def _open(self, database: Database) -> None:
        recipe = recipes.recipe_of(database.settings)
        if database.is_open:  # the application connected while the recipe imported it
            database.capture(IMPORT)
            return
        admin = self.admin
        admin.live(self.run)
        templates.collect(admin, self._project, self.run)
        owner = self._owner()
        facts = [("owner", owner), ("server", str(admin.version)), ("reset", self.rights.source())]
        mark = recipes.fingerprint_of(recipe, facts)
        template = templates.get_or_build(
            admin, self._project, mark, owner, self.settings.locale, lambda address: self._build(recipe, address, owner)
        )
        admin.live(templates.in_use(template.name))
        if template.built:
            self.server().keep_image()
        database.open(admin, self.rights, template)

    def _build(self, recipe: recipes.Recipe, address: Address, owner: str) -> None:
        with self.redirect.lead_to(address.to(address.database, user=owner)):
            recipe.fill()
        self.admin.empty(address.database)
        reset.install(address, self.rights)

    def _owner(self) -> str:
        if not self.admin.owned:
            return self.admin.address.user
        ordinary = [role for role in roles(self._others) if self._is_ordinary(role)] or [DEFAULT_ROLE]
        for role in ordinary:  # all of them: the DDL may grant them something
            self.admin.role(role)
        if self.settings.url_env and ordinary[0] != DEFAULT_ROLE:
            # Whoever reads a variable comes as this role: it was set before any engine was made.
            self.admin.role(DEFAULT_ROLE)
            self.admin.join(DEFAULT_ROLE, ordinary[0])
        return ordinary[0]

    def _is_ordinary(self, role: str) -> bool:
        return role != self.admin.address.user and not role.startswith("pg_")

    # -- at the end --------------------------------------------------------------------------------------------------

    def keep(self, test: str) -> list[str]:
        """Set the databases of a failed *test* aside under names of their own, which are returned."""
        kept = [database.keep(test, self.run) for database in self.databases]
        self.server().keep_image()
        return kept

    def close(self) -> None:
        """Drop the worker databases and give the server back. Nothing is left open."""
        self.redirect.remove()
        self.redirect.close()
        with suppress(psycopg.Error, CrucibleError):
            self._drop_all()
        if self._lease is not None:
            self._lease.release()
            self._lease = None

    def _drop_all(self) -> None:
        self.main.disconnect()
        if self._admin is not None:
            self.main.drop(self._admin)
            self._admin.close()
