"""The worker database of this process: made when it is first needed, put back after each test.

One object per pytest process ties the planes together: the server is leased, the template found or built, the
database cloned, and every engine of the process redirected to it. A run whose tests never touch a database never
gets here.
"""

from __future__ import annotations

import threading
import weakref
from contextlib import suppress
from dataclasses import dataclass, field
from functools import cached_property, partial

import psycopg
from sqlalchemy.engine import Engine

from . import names, recipes, reset, templates
from .admin import Admin
from .errors import CrucibleError, ServerError
from .redirect import Origin, Redirect, Target
from .reset import Answer, Control, Rights
from .server import Lease, lease
from .server.address import Address
from .settings import Settings

# The owner of the schema where no engine of the application names a role.
DEFAULT_ROLE = "crucible"
# The layer of what is written while modules are imported.
IMPORT = 1


@dataclass
class Base:
    """What the worker database is cloned from, and the layers that lie on it.

    Attributes:
        template: The project's template, or a copy of the database after a wide fixture's DDL.
        made_by: The layer whose DDL made the copy; 0 for the project's template.
        saved: The layers on it, for the next clone.
        layers: Their numbers.
        gone: Layers in *saved* that were taken off while this base had no database.
        carried: Layers of a base that is gone, still to be brought here.
    """

    template: templates.Template
    made_by: int = 0
    saved: reset.Layers = field(default_factory=dict)
    layers: set[int] = field(default_factory=set)
    gone: set[int] = field(default_factory=set)
    carried: list[reset.Layers] = field(default_factory=list)


class Worker:
    """The worker database of this process.

    Args:
        settings: What the user set.
        run: Names the run: the same in all of its workers.
        name: Names the worker in the run: ``gw0p4242``, or ``mainp4242``.
    """

    def __init__(self, settings: Settings, run: str, name: str) -> None:
        self.settings = settings
        self.run = run
        self.redirect = Redirect(self._target)
        self.generation = 0
        self.notes: list[str] = []
        self._project = names.label(settings.root.name, 24)
        # The worker database is 1; from 2 on, copies that wide fixtures' DDL made.
        self._name = partial(names.worker, self._project, run, name)
        self.database = self._name(1)
        self._others: weakref.WeakSet[Engine] = weakref.WeakSet()
        self._lock = threading.RLock()
        self._failure: Exception | None = None
        self._lease: Lease | None = None
        self._admin: Admin | None = None
        self._control: Control | None = None
        self._bases: list[Base] = []
        self._stale = False
        self._targets: dict[str | None, Target] = {}

    # -- where everything leads --------------------------------------------------------------------------------------

    @property
    def started(self) -> bool:
        """Whether anything has needed the database yet, and it has not been lost since."""
        return self._control is not None and self._failure is None

    @property
    def stale(self) -> bool:
        """Whether the next user of the database gets a fresh clone."""
        return self._stale

    @property
    def control(self) -> Control:
        """The control connection; makes the database ready first."""
        self.ready()
        if self._control is None:  # pragma: no cover - ready() made it
            raise ServerError("The worker database has no control connection.")
        return self._control

    def address(self) -> Address:
        """The worker database, as the role that owns the schema."""
        self.ready()
        return self._target(Origin("psycopg", None, None)).address

    def pass_over_engines(self) -> None:
        """The engines that are there now are not the application's: their roles count for nothing."""
        self._others.update(recipes.engines())

    def planned_url(self, drivername: str) -> str:
        """The worker database's URL before there is one: the server is leased, nothing is built."""
        admin = self.server().admin
        role = DEFAULT_ROLE if self.server().owned else admin.user
        return admin.to(self.database, user=role).url(drivername)

    def server(self) -> Lease:
        """The share in the server, which is taken now if need be."""
        with self._lock:
            if self._lease is None:
                self._lease = lease(self.settings.server, root=self.settings.root)
            return self._lease

    def ready(self) -> None:
        """Have the database there and fresh: build, clone, or clone anew after DDL."""
        if self._control is not None and not self._stale:
            return
        with self._lock:
            if self._failure is not None:
                # Without the frames of the tests before, which would grow with each.
                raise self._failure.with_traceback(None)
            try:
                self._open() if self._control is None else self._renew()
            except Exception as error:
                # Every later test would fail alike, after the same wait.
                self._failure = error
                raise

    def _target(self, origin: Origin) -> Target:
        target = self._targets.get(origin.user)
        if target is None or self._stale:
            self.ready()
            role = self._role(origin.user)
            target = Target(self.control.address.to(self.database, user=role), self.generation)
            self._targets[origin.user] = target
        return target

    def _role(self, user: str | None) -> str:
        owner = self._bases[0].template.owner
        if user is None or user == owner or not self.admin.owned:
            return owner
        if not self._is_ordinary(user):
            return owner
        if self.admin.role(user) or not self.control.has_grants(user):
            self.admin.join(user, owner)
            self.notes.append(f"role {user!r} has no privileges of its own: it joins {owner!r}, who owns the schema")
        return user

    # -- from nothing to a database ----------------------------------------------------------------------------------

    @property
    def admin(self) -> Admin:
        """The server's administrator."""
        if self._admin is None:
            self._admin = Admin(self.server())
        return self._admin

    def _open(self) -> None:
        recipe = recipes.MetadataRecipe(self.settings)
        if self._control is not None:  # the application connected while the recipe imported it
            self.capture(IMPORT)
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
        self._bases = [Base(template)]
        self._clone()

    @cached_property
    def rights(self) -> Rights:
        """What the administrator may do in the databases that are made here."""
        rights = Rights(self.admin.superuser, self.admin.superuser or self.admin.may_replicate())
        self.notes += rights.notes()
        return rights

    def _owner(self) -> str:
        if not self.admin.owned:
            return self.admin.address.user
        ordinary = [role for role in recipes.roles(self._others) if self._is_ordinary(role)] or [DEFAULT_ROLE]
        for role in ordinary:  # all of them: the DDL may grant them something
            self.admin.role(role)
        if self.settings.url_env and ordinary[0] != DEFAULT_ROLE:
            # Whoever reads a variable comes as this role: it was set before any engine was made.
            self.admin.role(DEFAULT_ROLE)
            self.admin.join(DEFAULT_ROLE, ordinary[0])
        return ordinary[0]

    def _is_ordinary(self, role: str) -> bool:
        return role != self.admin.address.user and not role.startswith("pg_")

    def _build(self, recipe: recipes.MetadataRecipe, address: Address, owner: str) -> None:
        with self.redirect.lead_to(address.to(address.database, user=owner)):
            recipe.fill()
        self.admin.empty(address.database)
        reset.install(address, self.rights)

    def _clone(self) -> None:
        """Make the worker database from the current base; the old one, if any, is gone already."""
        self.admin.drop(self.database)
        address = templates.clone(self.admin, self._bases[-1].template, self.database)
        self._control = control = Control(address, self.rights)
        control.ready()
        self._lay(self._bases[-1], control)
        self.generation += 1
        self._targets.clear()
        self._stale = False

    def _lay(self, base: Base, control: Control) -> None:
        """Put the layers of *base* on the fresh clone."""
        if base.saved:
            control.adopt_layers(base.saved)
        if not base.gone and not base.carried:
            return
        for layers in base.carried:
            self.notes += [
                f"rows in {table} are gone: they were written on top of DDL of a fixture that is torn down"
                for table in control.carry(layers)
            ]
        for layer in base.gone:
            control.take_off(layer)
        base.carried.clear()
        base.gone.clear()
        control.reset()
        base.saved = control.export_layers()

    def _renew(self) -> None:
        """Throw the database away and clone it afresh."""
        if self._control is not None:
            self._control.close()
        self._clone()

    # -- after a test ------------------------------------------------------------------------------------------------

    def discard(self) -> None:
        """Have the next user of the database get a fresh clone."""
        self._stale = self._control is not None

    def put_back(self, allowed: tuple[int, ...]) -> Answer:
        """Put the database back, or discard it where only a clone can; see `Control.reset`."""
        try:
            answer = self.control.reset(allowed)
        except psycopg.errors.LockNotAvailable:
            raise
        except psycopg.OperationalError as error:
            raise self._lost(error) from error
        except psycopg.Error:
            # A constraint that the baseline itself does not meet (NOT VALID), a type's input function that changed:
            # a clone asks no such question.
            self.discard()
            return Answer("clone", why="the rows of the baseline cannot be inserted again")
        if answer.done == "clone":
            self.discard()
        self.redirect.condemn(answer.temporary)
        return answer

    def _lost(self, error: psycopg.OperationalError) -> ServerError:
        self._failure = ServerError(
            f"The worker database {self.database} was lost: {str(error).strip()}",
            why="The server died or was stopped, or something dropped the database while the tests ran.",
            do="Run the tests again. If it happens again, look at the server's log and for tests that end backends.",
        )
        self.discard()
        return self._failure

    def keep(self, test: str) -> str:
        """Set the database of a failed *test* aside under a name of its own, which is returned."""
        kept = names.kept(test, self.run)
        if self._control is not None:
            self._control.close()
        self.admin.rename(self.database, kept)
        self.server().keep_image()
        self._clone()
        return kept

    # -- layers ------------------------------------------------------------------------------------------------------

    def capture(self, layer: int) -> bool:
        """Take what a wide fixture committed into *layer*; whether there was anything."""
        if self._stale:
            return False
        taken = self.control.capture(layer)
        if taken is None:
            self._rebase(layer)
            return True
        if taken:
            base = self._bases[-1]
            base.layers.add(layer)
            base.saved = self.control.export_layers()
        return taken

    def _rebase(self, layer: int) -> None:
        """A wide fixture changed the schema: its layer is a copy of the whole database."""
        control = self.control
        control.seal()
        control.close()
        owner = self._bases[0].template.owner
        name = self._name(len(self._bases) + 1)
        self._bases.append(Base(templates.keep_as_template(self.admin, self.database, name, owner), layer))
        self._clone()

    def take_off(self, layer: int) -> None:
        """Take *layer* away, and put the database back to what is left."""
        top = self._bases[-1]
        for at, base in enumerate(self._bases):
            if layer and base.made_by == layer:
                self._take_off_bases(at)
                return
        for base in self._bases:
            if layer not in base.layers:
                continue
            base.layers.discard(layer)
            if base is not top or self._stale or self._control is None:
                base.gone.add(layer)
            else:
                self._control.take_off(layer)
                base.saved = self._control.export_layers()

    def _take_off_bases(self, at: int) -> None:
        """A fixture whose DDL made a base goes; what fixtures that stay have put on top of it moves down."""
        below = self._bases[at - 1]
        for base in self._bases[at:]:
            if base.layers:
                below.carried.append(reset.only(base.saved, base.layers))
                below.layers |= base.layers
            self.admin.drop(base.template.name)
        del self._bases[at:]
        self.discard()

    # -- at the end --------------------------------------------------------------------------------------------------

    def close(self) -> None:
        """Drop the worker database and give the server back. Nothing is left open."""
        self.redirect.remove()
        self.redirect.close()
        with suppress(psycopg.Error, CrucibleError):
            self._drop_all()
        if self._lease is not None:
            self._lease.release()
            self._lease = None

    def _drop_all(self) -> None:
        if self._control is not None:
            self._control.close()
        if self._admin is not None:
            for name in self._admin.databases(self.database.removesuffix("1")):
                self._admin.drop(name)
            self._admin.close()
