"""A worker database: this process's copy of one of the application's databases, with its template and its layers.

The worker database is cloned from the topmost *base*: the project's template or, where a fixture of a wider scope has
changed the schema, a copy that was made after it. On each base lie the layers that fixtures have committed since.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

import psycopg

from ..control import Admin, Answer, Control, Rights, reset, templates
from ..control import database_names as names
from ..errors import CrucibleError, ServerError, UsageError
from ..redirect import Target, forks
from ..settings import Settings


@dataclass
class Base:
    """The source of a worker database's clones, and the layers that lie on it.

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


class Database:
    """One worker database.

    Args:
        settings: What shapes it.
        key: Its name in the application's URLs; None for a main database without one.
        name: Names the worker database (1) and, from 2 on, the copies that wide fixtures' DDL made.
        notes: Lines for the summary of the run.

    Attributes:
        name: The worker database's name.
        generation: How often it was cloned.
        clones: The reason of each fresh clone; the summary takes them away.
        targets: The target of each role of the application, for as long as this clone lives.
        failure: The error for which it could not be made, or was lost.
        told: Whether a test's report has the failure already.
    """

    def __init__(self, settings: Settings, key: str | None, name: Callable[[int], str], notes: list[str]) -> None:
        self.settings = settings
        self.key = key
        self.name = name(1)
        self.generation = 0
        self.clones: list[str] = []
        self.targets: dict[str | None, Target] = {}
        self.failure: Exception | None = None
        self.told = False
        self._last_attempt = False
        self._name = name
        self._notes = notes
        self._bases: list[Base] = []
        self._stale = False
        self._made: tuple[Admin, Rights] | None = None
        self._control: Control | None = None
        self._inherited: Control | None = None
        self._lock = threading.RLock()

    @property
    def is_open(self) -> bool:
        """True if it has ever been made."""
        return self._control is not None

    @property
    def is_ready(self) -> bool:
        """True if it can be used as it is, or never."""
        return self.failure is not None or (self.is_open and not self._stale)

    @property
    def started(self) -> bool:
        """True if anything has needed it yet, and it has not been lost since; never in a forked child."""
        return self._control is not None and self.failure is None and self._inherited is None

    def refusal(self) -> Exception:
        """Return the error for a test that asks for it after it failed: in short, once a report has the whole."""
        if self.told and isinstance(self.failure, CrucibleError):
            return type(self.failure)(f"No database, as the first error of this run says: {self.failure.found}")
        return self.failure or ServerError(f"The worker database {self.name} is not there.")

    @property
    def label(self) -> str:
        """The label of the project and the database, without the names of run and worker."""
        parsed = names.parse(self.name)
        return parsed.label if parsed else self.name

    @property
    def cut_off(self) -> bool:
        """True if a time-out ended its build, which is made once more."""
        return isinstance(self.failure, templates.CutOffError) and not self._last_attempt

    def fail(self, error: BaseException) -> None:
        """Remember that it cannot be had."""
        last = self._last_attempt
        self.failure = error if isinstance(error, Exception) else templates.cut_off(error, last=last)

    def try_again(self) -> None:
        """Forget the failure of a build that a time-out ended, the first time."""
        if self.cut_off:
            self.failure = None
            self._last_attempt = True

    def reported(self, error: BaseException) -> UsageError | None:
        """Note that a test's report has *error*, so that the next tests get it in short; returns a wrong setting."""
        if error is not self.failure or self.is_open:
            return None
        if isinstance(error, UsageError):
            return error
        if isinstance(error, CrucibleError) and not self.told:
            self._notes.append(f"no test could have the database: {error.found}")
        self.told = True
        return None

    @property
    def stale(self) -> bool:
        """True if its next user gets a fresh clone."""
        return self._stale

    @property
    def template(self) -> templates.Template:
        """The project's template that it comes from; only where it is open."""
        return self._bases[0].template

    def connect(self) -> Control:
        """Return the control connection; a stale database is cloned afresh first.

        Raises:
            CrucibleError: If the database was never made, or is lost.
        """
        if self._inherited is not None:
            self.join()
        elif self._stale:
            self.renew()
        if self._control is None:
            raise self.refusal()
        return self._control

    @property
    def admin(self) -> Admin:
        """The server's administrator; only where it is open."""
        return self._there[0]

    @property
    def _there(self) -> tuple[Admin, Rights]:
        if self._made is None:  # pragma: no cover - it is never asked for before
            raise ServerError(f"The worker database {self.name} was not made yet.")
        return self._made

    # -- from a template to a database -------------------------------------------------------------------------------

    def open(self, admin: Admin, rights: Rights, template: templates.Template) -> None:
        """Make the worker database from *template*, for the first time."""
        self._made = (admin, rights)
        self._bases = [Base(template)]
        self._clone()

    @contextmanager
    def opening(self) -> Iterator[None]:
        """Remember an error that ends the making of the database: every later test would fail alike, after a wait.

        Raises:
            CrucibleError: At once, where it has failed before.
        """
        if self.failure is not None:
            # Without the frames of the tests before, which would grow with each.
            raise self.refusal().with_traceback(None)
        try:
            yield
        except BaseException as error:
            self.fail(error)
            raise

    def renew(self) -> None:
        """Drop a stale database, and clone it afresh.

        Raises:
            CrucibleError: If that fails, or the database is lost.
        """
        with self._lock:
            if self._stale:  # else another thread has renewed it
                with self.opening():
                    self.disconnect()
                    self._clone()

    def leave_to_parent(self) -> None:
        """Leave the control connection to the parent, in a forked child."""
        forks.INHERITED.append(self._control)
        self._inherited, self._control = self._control or self._inherited, None
        self._lock = threading.RLock()

    def join(self) -> None:
        """Open a control connection for this process, in a forked child whose parent had one."""
        if self._control is None and self._inherited is not None:
            self._control = Control(self._inherited.address, self._there[1])

    def backends(self) -> set[int]:
        """Return the pids of the backends in it, without that of the control connection."""
        return self.admin.backends(self.name) - ({self._control.pid} if self._control is not None else set())

    def disconnect(self) -> None:
        """Close the control connection."""
        if self._control is not None:
            self._control.close()

    def drop(self, admin: Admin) -> None:
        """Drop the worker database, and the copies below it."""
        self.disconnect()
        for name in admin.databases(self.name.removesuffix("1")):
            admin.drop(name)

    def _clone(self) -> None:
        """Make the worker database from the current base; the old one, if any, is gone already."""
        admin, rights = self._there
        admin.drop(self.name)
        address = templates.clone(admin, self._bases[-1].template, self.name)
        self._control = control = Control(address, rights)
        control.ready()
        self._lay(self._bases[-1], control)
        self.generation += 1
        self.targets.clear()
        self._stale = False

    def _lay(self, base: Base, control: Control) -> None:
        """Put the layers of *base* on the fresh clone."""
        if base.saved:
            control.adopt_layers(base.saved)
        if not base.gone and not base.carried:
            return
        for layers in base.carried:
            self._notes += [
                f"rows in {table} are gone: they were written on top of DDL of a fixture that is torn down"
                for table in control.carry(layers)
            ]
        for layer in base.gone:
            control.take_off(layer)
        base.carried.clear()
        base.gone.clear()
        control.reset()
        base.saved = control.export_layers()

    # -- after a test ------------------------------------------------------------------------------------------------

    def discard(self) -> None:
        """Have the next user of the database get a fresh clone."""
        self._stale = self._control is not None

    def reset(self, allowed: tuple[int, ...], *, held: bool = False, every_one: bool = False) -> Answer:
        """Reset the database, or discard it where only a clone can restore it; see `Control.reset`."""
        try:
            answer = self.connect().reset(allowed, held=held, every_one=every_one)
        except psycopg.errors.LockNotAvailable:
            raise
        except psycopg.OperationalError as error:
            raise self._lost(error) from error
        except psycopg.Error as error:
            # A constraint that the baseline itself does not meet (NOT VALID), a type's input function that changed:
            # a clone asks no such question.
            answer = Answer("clone", why=f"rows that cannot be inserted again: {str(error).splitlines()[0]}")
        if answer.done == "clone":
            self.clones.append(answer.why)
            self.discard()
        return answer

    def _lost(self, error: psycopg.OperationalError) -> ServerError:
        lost = self.failure = ServerError(
            f"The worker database {self.name} was lost: {str(error).strip()}",
            why="The server died or was stopped, or something dropped the database while the tests ran.",
            do="Run the tests again. If it happens again, look at the server's log and for tests that end backends.",
        )
        self.discard()
        return lost

    def keep(self, test: str, run: str) -> str:
        """Set the database of a failed *test* aside under a name of its own, which is returned.

        Args:
            test: The test's id.
            run: The run.
        """
        kept = names.kept(test, run, self.key or "")
        self.disconnect()
        self.admin.rename(self.name, kept)
        self._clone()
        return kept

    # -- layers ------------------------------------------------------------------------------------------------------

    def capture(self, layer: int) -> bool | None:
        """Take the commits of a wide fixture into *layer*.

        Returns:
            Whether there were any; None if only a copy of the whole database can be that layer.
        """
        if self._stale:
            return False
        captured = self.connect().capture(layer)
        if captured:
            base = self._bases[-1]
            base.layers.add(layer)
            base.saved = self.connect().export_layers()
        return captured

    def copy_as_layer(self, layer: int) -> None:
        """Copy the whole database as the layer of a wide fixture that changed the schema; all connections to it end."""
        control = self.connect()
        control.seal()
        control.close()
        name = self._name(len(self._bases) + 1)
        copy = templates.keep_as_template(self.admin, self.name, name, self.template.owner)
        self._bases.append(Base(copy, layer))
        self._clone()

    def take_off(self, layer: int) -> None:
        """Take *layer* off, and leave the rest of the baseline."""
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
            elif self._control.take_off(layer):
                base.saved = self._control.export_layers()
            else:
                self.clones.append("DDL in the teardown of a wide fixture")
                base.gone.add(layer)
                self.discard()

    def _take_off_bases(self, at: int) -> None:
        """Drop the bases from *at* on; layers on them of fixtures that stay move down."""
        below = self._bases[at - 1]
        for base in self._bases[at:]:
            if base.layers:
                below.carried.append(reset.only(base.saved, base.layers))
                below.layers |= base.layers
            self.admin.drop(base.template.name)
        del self._bases[at:]
        self.discard()
