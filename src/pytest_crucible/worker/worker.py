"""The worker databases of one process: a dictionary of them, and the address to which each engine leads.

One object per pytest process ties the planes together. A run whose tests never touch a database never gets further
than the redirect.
"""

from __future__ import annotations

import threading
from collections.abc import Iterable
from contextlib import suppress
from itertools import count

from .. import recipes
from ..control import Control
from ..control import database_names as names
from ..control.database_names import WorkerNames
from ..control.driver import psycopg
from ..errors import CrucibleError
from ..redirect import Origin, OtherEngines, Redirect, Target
from ..server.address import Address
from ..settings import Settings, UrlVariable
from .children.parent import Parent
from .database import Database
from .databases import Databases
from .leased_server import LeasedServer
from .roles import DEFAULT_ROLE
from .template_builder import TemplateBuilder

# The layer of rows that are written while modules are imported.
IMPORT = 1


class Worker(Databases):
    """The worker databases of this process.

    Args:
        settings: The settings of the user.
        run: The name of the run, the same in all of its workers.
        name: The name of the worker in the run: ``gw0x1a2b3c4d``, or ``mainx1a2b3c4d``.

    Attributes:
        notes: Lines for the summary of the run.
        server: The server of this process.
        templates: The builder of the templates.
        parent: In a forked child, the process that owns the databases.
        before: The open transactions that had written before the current test: backend, and when they began.
        leaving: Whether what uses the databases is being shut down: they are not made anew meanwhile.
    """

    def __init__(self, settings: Settings, run: str, name: str) -> None:
        self.settings = settings
        self.redirect = Redirect(self._target, OtherEngines(settings.other_dialects, settings.packages))
        self.notes: list[str] = []
        self.before: set[tuple[int, float | None]] = set()
        self.leaving = False
        self.parent: Parent | None = None
        self._run = run
        self._numbers = count(1)
        self._spare = WorkerNames(names.project_label(settings.root), run, f"{name}s")
        shapes = settings.by_database().items()
        super().__init__({key: self._database(key, shape, name) for key, shape in shapes}, self.notes)
        # Databases to which anything may connect, not only engines: their URL was given out.
        self._open_to_all = {self.named(one.database) for one in settings.variables() if one.database in self._all}
        self._lock = threading.RLock()
        self.server = LeasedServer(settings, run, [self.main.name, self._spare.at(1)], self.notes)
        keys = {name: database.key for name, database in self._known.items()}
        self.templates = TemplateBuilder(self.server, self.redirect, keys)

    def _database(self, key: str | None, shape: Settings, name: str) -> Database:
        own_names = WorkerNames(names.project_label(self.settings.root, key), self._run, name)
        return Database(shape, key, own_names, self.notes)

    # -- the main database -------------------------------------------------------------------------------------------

    def connect(self) -> Control:
        """Return the control connection to the main worker database, which is made ready first."""
        self.prepare(self.main)
        return self.main.connect()

    def controls(self) -> list[Control]:
        """Return the control connections to the main worker database, and to each other that anything has needed."""
        main = self.connect()
        return [main, *(database.connect() for database in self.databases if database is not self.main)]

    def ready(self, name: str | None = None) -> None:
        """Make a worker database ready: the main one, or that with the name *name* in the application's URLs."""
        self.prepare(self.named(name))

    # -- all databases -----------------------------------------------------------------------------------------------

    def address(self, name: str | None = None) -> Address:
        """Return the address of a worker database, as the role that owns its schema.

        Args:
            name: The database's name in the application's URLs; None for the main one.

        Raises:
            UsageError: If no database has this name.
        """
        self._open_to_all.add(self.named(name))
        self.redirect.reached = True
        return self._target(Origin("psycopg", None, name)).address

    def note_open(self) -> None:
        """Remember which open transactions have written, or lock, before a test begins."""
        for database in self.databases:
            if not database.stale and self.redirect.holders.is_held(database.name):
                self.before |= {o.key for o in database.connect().others_in_transactions() if not o.is_clean}

    def touched(self, *, forget: bool = True) -> list[Database]:
        """Return the databases that may have changed since the last call that *forgets* them.

        Nothing has connected to any other.
        """
        used = self.redirect.used(forget=forget)
        return [database for database in self.databases if database in self._open_to_all or database.name in used]

    def can_finish_later(self, databases: Iterable[Database]) -> bool:
        """Return whether the resets of *databases*, which were sent, need not be waited for at once.

        That is so if only engines of this process use them, and have left nothing open. A reset that could not be sent
        has its error already.
        """
        return all(
            database not in self._open_to_all
            and not self.redirect.may_be_open(database.name)
            and not (control := database.connect()).prepares
            and control.is_resetting
            for database in databases
        )

    # -- where everything leads --------------------------------------------------------------------------------------

    def _target(self, origin: Origin) -> Target:
        if self.parent is not None:
            return self.parent.target(origin)
        database = self.leading(origin.database)
        if database.is_resetting:
            database.answer()
        target = database.targets.get(origin.user)
        if target is None or (database.stale and not self.leaving):
            self.prepare(database)
            role = self.server.roles().of(origin.user, database.template.owner, self.databases)
            target = Target(self.server.connect().address.to(database.name, user=role), database.generation)
            database.targets[origin.user] = target
        return target

    def make_ready(self) -> None:
        """Make every database ready that an engine of this process may connect to."""
        if not all(database.is_ready for database in self._all.values()):
            for key in self.templates.reached_keys():
                self.prepare(self._all[key])

    def leave_to_parent(self, parent: Parent) -> None:
        """Use the databases of *parent*, and own nothing, in a forked child."""
        self.parent = parent
        self._lock = threading.RLock()
        self.server.leave_to_parent()
        for database in self._all.values():
            database.leave_to_parent()
        self.redirect.leave_to_parent()

    def planned_url(self, variable: UrlVariable) -> str:
        """Return the URL for *variable* before its database exists: the server is leased, nothing is built.

        Raises:
            UsageError: If no database has the name that *variable* names.
        """
        database = self.named(variable.database)
        share = self.server.lease()
        role = DEFAULT_ROLE if share.owned else share.admin.user
        return share.admin.to(database.name, user=role).url(variable.drivername, variable.host)

    # -- from nothing to a database ----------------------------------------------------------------------------------

    def find_owner(self) -> str:
        """Return the role that owns the main database's schema; the application is imported for it."""
        if self.main.is_open:
            return self.main.template.owner
        return self.templates.owner(self.main, recipes.recipe_of(self.main.settings))

    def spare(self) -> str:
        """Return the name of a further database of this worker; the caller creates and drops it."""
        return self._spare.at(next(self._numbers))

    def prepare(self, database: Database) -> None:
        """Make *database* ready: build its template, clone it, or clone it anew after DDL.

        Raises:
            CrucibleError: If that fails, now or before.
        """
        if database.is_open and not database.stale:
            return
        if self.parent is not None:
            database.join()
            return
        with self._lock:
            self.redirect.preparing = True
            try:
                database.renew() if database.is_open else self._open(database)
            finally:
                self.redirect.preparing = False

    def get_ready(self) -> None:
        """Make those databases ready to which the application's engines lead, before a test and its time-outs begin.

        A failure is remembered and raised in the test. The first engine names the role that owns the schema: without
        one, nothing is done.
        """
        for database in self.every:
            database.attempts.try_again()
        with suppress(Exception):
            recipes.recipe_of(self.main.settings)  # imports the application
            for key in {key for _, key in self.templates.roles()}:
                self.prepare(self._all[key])

    def _open(self, database: Database) -> None:
        with database.attempts.one():
            before = self.databases
            recipe = recipes.recipe_of(database.settings)
            for opened in self.databases:
                # Those that the application connected to while the recipe imported it.
                if opened not in before and opened.capture(IMPORT) is None:
                    opened.copy_as_layer(IMPORT)
            if not database.is_open:
                template = self.templates.template(database, recipe)
                database.open(self.server.connect(), self.server.rights(), template)

    # -- at the end --------------------------------------------------------------------------------------------------

    def keep(self, test: str) -> list[str]:
        """Set the databases of a failed *test* aside under names of their own, which are returned."""
        kept = [database.keep(test, self._run) for database in self.databases]
        self.server.lease().keep_image()
        return kept

    def close(self) -> None:
        """Drop the worker databases and give the server back. Nothing is left open."""
        self.redirect.remove()
        self.redirect.close()
        with suppress(psycopg.Error, CrucibleError):
            for database in self._all.values():
                database.disconnect()
                if self.server.is_connected:
                    database.drop(self.server.connect())
            self.server.drop_remains()
            self.server.disconnect()
        self.server.release()
