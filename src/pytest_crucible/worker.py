"""One process's share: the server leased, the templates found or built, and every engine led to its worker database.

One object per pytest process ties the planes together. A run whose tests never touch a database never gets further
than the redirect.
"""

from __future__ import annotations

import threading
import weakref
from contextlib import suppress
from functools import cached_property, partial
from itertools import count

import psycopg
from sqlalchemy.engine import Engine

from . import forks, marks, names, recipes, reset, templates
from .admin import Admin
from .children.parent import Parent
from .database import Database
from .database_errors import no_such_database
from .databases import Databases
from .errors import CrucibleError, TemplateError
from .fingerprint import fingerprint
from .progress import Progress
from .recipes.engines import engines, roles
from .redirect import Origin, OtherEngines, Redirect, Target
from .reset import Control
from .rights import Rights
from .roles import DEFAULT_ROLE, Roles
from .server import Lease, lease, where_kept
from .server.address import Address
from .settings import Settings
from .superuser import SuperuserHints
from .trace import Trace

# The layer of what is written while modules are imported.
IMPORT = 1
# A template that an older Crucible made without our mark has another name.
MARKED = ("mark", str(marks.MARK))


class Worker(Databases):
    """The worker databases of this process.

    Args:
        settings: What the user set.
        run: Names the run: the same in all of its workers.
        name: Names the worker in the run: ``gw0x1a2b3c4d``, or ``mainx1a2b3c4d``.

    Attributes:
        main: The main database.
        notes: What the run's summary should say.
        built: How many templates were built here.
        tables: The tables that metadata had when the templates were found or built.
        preparing: Whether a database is being made now, with whatever statements that takes.
        parent: In a forked child, the process that owns the databases.
        before: The open transactions that had written before the current test: backend, and when they began.
        leaving: Whether what uses the databases is being shut down: they are not made anew meanwhile.
        progress: What the run waits for.
    """

    def __init__(self, settings: Settings, run: str, name: str) -> None:
        self.settings = settings
        self.run = run
        self.redirect = Redirect(self._target, OtherEngines(settings.other_dialects, settings.packages))
        self.notes: list[str] = []
        self.built = 0
        self.tables: set[str] = set()
        self.preparing = False
        self.before: set[tuple[int, float | None]] = set()
        self.leaving = False
        self.progress = Progress()
        self._project = names.label(settings.root.name, 24)
        self._spare = partial(names.worker, self._project, run, f"{name}s")
        self._numbers = count(1)
        self._shapes = settings.by_database()
        super().__init__({asked: self._database(asked, run, name) for asked in self._shapes})
        self.main = next(iter(self._all.values()))
        self._known = dict(self._all) | {database.name: database for database in self._all.values()}
        self._unmatched: list[str] = []
        # Where somebody else than an engine may connect to, too: who knows its URL.
        self._open_to_all = {
            self.main,
            *(self._named(asked) for _, _, asked in settings.variables() if asked in self._all),
        }
        self._others: weakref.WeakSet[Engine] = weakref.WeakSet()
        self._lock = threading.RLock()
        self._lease: Lease | None = None
        self._admin: Admin | None = None
        self.parent: Parent | None = None

    def _database(self, asked: str | None, run: str, name: str) -> Database:
        project = names.label(self.settings.root.name if asked is None else f"{self.settings.root.name}_{asked}", 24)
        names_ = partial(names.worker, project, run, name)
        return Database(self._shapes[asked], names_, self.prepare, self.notes)

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

    def ready(self, asked: str | None = None) -> None:
        """Have a worker database there and fresh; the main one, or that with the name *asked*."""
        self.prepare(self._named(asked))

    # -- all databases -----------------------------------------------------------------------------------------------

    def address(self, asked: str | None = None) -> Address:
        """A worker database, as the role that owns its schema.

        Args:
            asked: The database's name in the application's URLs; None for the main one.

        Raises:
            UsageError: If no database has this name.
        """
        self._open_to_all.add(self._named(asked))
        self.redirect.reached = True
        return self._target(Origin("psycopg", None, asked)).address

    def note_open(self) -> None:
        """Remember which open transactions have written, or lock, before a test begins."""
        for database in self.databases:
            if not database.stale and self.redirect.holders.is_held(database.name):
                self.before |= {o.key for o in database.control.others_in_transactions() if not o.is_clean}

    def touched(self) -> list[Database]:
        """The databases that may have changed since this was last asked: any other was not even connected to."""
        used = self.redirect.used()
        return [database for database in self.databases if database in self._open_to_all or database.name in used]

    # -- where everything leads --------------------------------------------------------------------------------------

    def _target(self, origin: Origin) -> Target:
        if self.parent is not None:
            return self.parent.target(origin)
        database = self._known.get(origin.database) or self._unnamed(origin.database)
        target = database.targets.get(origin.user)
        if target is None or (database.stale and not self.leaving):
            self.prepare(database)
            role = self.roles.of(origin.user, database.template.owner, self.databases)
            target = Target(self.admin.address.to(database.name, user=role), database.generation)
            database.targets[origin.user] = target
        return target

    def make_ready(self) -> None:
        """Make every database ready that an engine of this process may connect to."""
        if not all(database.is_ready for database in self._all.values()):
            for name in {engine.url.database for engine in engines() if engine not in self._others}:
                self.prepare(self._known.get(name, self.main))

    def leave_to_parent(self, parent: Parent) -> None:
        """In a forked child, use the databases of *parent*, and own nothing."""
        self.parent = parent
        self._lock = threading.RLock()
        forks.INHERITED.append(self._admin)
        self._admin = None
        for database in self._all.values():
            database.leave_to_parent()
        self.redirect.leave_to_parent()

    def _unnamed(self, asked: str | None) -> Database:
        """The main database, for a name that stands nowhere: said once where that may not be meant."""
        self._known[asked] = self.main
        if asked is not None:
            self._unmatched.append(asked)
            if len(self._all) > 1 or len(self._unmatched) > 1:
                self.notes.append(f"database {asked!r} leads to the main database: crucible_databases does not name it")
        return self.main

    def _named(self, asked: str | None) -> Database:
        if asked is None:
            return self.main
        if asked not in self._all:
            raise no_such_database(asked, filter(None, self._all))
        return self._all[asked]

    def pass_over_engines(self) -> None:
        """The engines that are there now are not the application's: their roles count for nothing."""
        self._others.update(engines())

    def planned_url(self, drivername: str, asked: str | None = None) -> str:
        """A worker database's URL before there is one: the server is leased, nothing is built.

        Raises:
            UsageError: If no database has the name *asked*.
        """
        database = self._named(asked)
        admin = self.server().admin
        role = DEFAULT_ROLE if self.server().owned else admin.user
        return admin.to(database.name, user=role).url(drivername)

    # -- from nothing to a database ----------------------------------------------------------------------------------

    def server(self) -> Lease:
        """The share in the server, which is taken now if need be."""
        with self._lock:
            if self._lease is None:
                self._lease = lease(self.settings.server, root=self.settings.root)
                self.notes += self._lease.notes
            return self._lease

    @property
    def admin(self) -> Admin:
        """The server's administrator."""
        if self._admin is None:
            self._admin = Admin(self.server(), self.run)
            for name in (self.main.name, self._spare(1)):
                self._admin.live(names.process_of(name))
        return self._admin

    @property
    def owner(self) -> str:
        """The role that owns the main database's schema; the application is imported for it."""
        if self.main.is_open:
            return self.main.template.owner
        return self._owner(self.main, recipes.recipe_of(self.main.settings))

    def spare(self) -> str:
        """The name of a further database of this worker; whoever creates it drops it."""
        return self._spare(next(self._numbers))

    @cached_property
    def roles(self) -> Roles:
        """As whom the application connects."""
        return Roles(self.admin, self.notes, SuperuserHints(self.settings.server))

    @cached_property
    def rights(self) -> Rights:
        """What the administrator may do in the databases that are made here."""
        rights = Rights(self.admin.superuser, self.admin.superuser or self.admin.may_replicate(), self.admin.owned)
        self.notes += rights.notes()
        return rights

    def prepare(self, database: Database) -> None:
        """Have *database* there and fresh: build, clone, or clone anew after DDL."""
        if database.is_open and not database.stale:
            return
        if self.parent is not None:
            database.join()
            return
        with self._lock:
            if database.is_open and not database.stale:  # another thread has made it meanwhile
                return
            if database.failure is not None:
                # Without the frames of the tests before, which would grow with each.
                raise database.refusal().with_traceback(None)
            self.preparing = True
            try:
                database.renew() if database.is_open else self._open(database)
            except BaseException as error:
                # Every later test would fail alike, after the same wait.
                database.fail(error)
                raise
            finally:
                self.preparing = False

    def get_ready(self) -> None:
        """Have those databases there to which the application's engines lead, before a test and its time-outs begin.

        A failure is remembered and raised in the test. The first engine names the role that owns the schema: without
        one, nothing is done.
        """
        for database in self.every:
            database.try_again()
        with suppress(Exception):
            recipes.recipe_of(self.main.settings)  # imports the application
            for database in {
                self._known.get(asked, self.main) for _, asked in roles(self._others, self.settings.packages)
            }:
                self.prepare(database)

    def _open(self, database: Database) -> None:
        before = self.databases
        recipe = recipes.recipe_of(database.settings)
        for opened in self.databases:
            if opened not in before:  # the application connected while the recipe imported it
                opened.capture(IMPORT)
        if database.is_open:
            return
        self._arrive()
        self.tables |= recipe.tables
        template = self._template(database, recipe)
        self.admin.live(templates.in_use(template.name))
        if template.built:
            self.built += 1
            self.notes += filter(None, [template.reason])
            self.server().keep_image()
        database.open(self.admin, self.rights, template)

    def _arrive(self) -> None:
        """Collect what dead processes have left: before the first database."""
        if not any(database.is_open for database in self._all.values()):
            kept = templates.KEPT_TEMPLATES * len(self._all)
            if templates.collect(self.admin, self._project, kept):
                self.server().keep_image()  # or the next server would start with them again

    def _template(self, database: Database, recipe: recipes.Recipe) -> templates.Template:
        owner = self._owner(database, recipe)
        facts = [("owner", owner), ("server", str(self.admin.version)), ("reset", self.rights.source()), MARKED]
        parts = recipes.parts_of(recipe, facts)
        settings = self.settings
        trace = partial(Trace.of_parts, parts, settings.root, database=database.label, run=self.run)
        wanted = templates.Wanted(self._project, fingerprint(parts), owner, settings.locale, trace, settings.rebuild)
        build = partial(self._build, database, recipe, owner)
        with self.roles.of_a_build(owner) as mended:
            while True:
                try:
                    return templates.get_or_build(self.admin, wanted, build)
                except TemplateError as error:
                    if not mended(error):
                        raise self.roles.explained(error) from error

    def _build(self, database: Database, recipe: recipes.Recipe, owner: str, address: Address) -> None:
        if self.server().kind == "container":  # the embedded server's own are all trusted
            self.admin.extend(address.database, database.settings.extensions)
        refuse = partial(database.refuse_others, self._all)
        done = f"the template is built, and kept {where_kept(self.server())}"
        with self.progress.of(lambda: f"building the template {address.database}: {recipe.doing}", done):
            with self.redirect.lead_to(address.to(address.database, user=owner), refuse):
                recipe.fill()
            self.admin.empty(address.database)
            reset.install(address, self.rights)

    def _owner(self, database: Database, recipe: recipes.Recipe) -> str:
        here: list[str] = []
        others: list[str] = []
        for role, asked in roles(self._others, self.settings.packages):
            (here if self._known.get(asked, self.main) is database else others).append(role)
        return self.roles.owner(here, others, recipe.ddl, by_variable=bool(self.settings.url_env))

    # -- at the end --------------------------------------------------------------------------------------------------

    def keep(self, test: str) -> list[str]:
        """Set the databases of a failed *test* aside under names of their own, which are returned."""
        kept = [database.keep(test, self.run, asked or "") for asked, database in self._all.items() if database.started]
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
        for database in self._all.values():
            database.disconnect()
            if self._admin is not None:
                database.drop(self._admin)
        if self._admin is not None:
            # A worker that crashed left its own; who replaced it, if anybody did, may have needed none.
            templates.collect_dead(self._admin)
            self._admin.close()
