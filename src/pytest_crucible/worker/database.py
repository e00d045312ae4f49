"""A worker database: this process's copy of one of the application's databases."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import count
from typing import NamedTuple

from ..control import Admin, Answer, Control, Rights, templates
from ..control import database_names as names
from ..control.database_names import WorkerNames
from ..control.driver import psycopg
from ..errors import CrucibleError, ServerError
from ..redirect import Target, forks
from ..settings import Settings
from .attempts import Attempts
from .bases import Bases
from .successor import Successor


class Source(NamedTuple):
    """The source of a worker database: the server's administrator, its rights, and the bases of the clones."""

    admin: Admin
    rights: Rights
    bases: Bases


class Database:
    """One worker database.

    Args:
        settings: What shapes it.
        key: Its name in the application's URLs; None for a main database without one.
        own_names: Name the worker database (1) and, from 2 on, its successors, and the copies that wide fixtures' DDL
            made.
        notes: Lines for the summary of the run.

    Attributes:
        label: The label of the project and the database, without the names of run and worker.
        generation: How often it was cloned.
        clones: The reason of each fresh clone; the summary takes them away.
        targets: The target of each role of the application, for as long as this clone lives.
        attempts: The attempts to make it.
        stale: Whether its next user gets a fresh clone.
        needs_clones: Whether a test of this run has needed a fresh clone.
        is_resetting: Whether a reset was sent, and its answer was not looked at yet.
    """

    def __init__(self, settings: Settings, key: str | None, own_names: WorkerNames, notes: list[str]) -> None:
        self.settings = settings
        self.key = key
        self.name = own_names.at(1)
        self.label = own_names.project
        self.generation = 0
        self.clones: list[str] = []
        self.targets: dict[str | None, Target] = {}
        self.attempts = Attempts(self.name, notes)
        self._further_names = map(own_names.at, count(2))
        self._successor = Successor(self.name, self._further_names)
        self._notes = notes
        self.stale = self.is_resetting = False
        self._answer: Answer | None = None
        self.needs_clones = False
        self._made_from: Source | None = None
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
        return self.attempts.error is not None or (self.is_open and not self.stale)

    @property
    def started(self) -> bool:
        """True if anything has needed it yet, and it has not been lost since; never in a forked child."""
        return self._control is not None and self.attempts.error is None and self._inherited is None

    @property
    def template(self) -> templates.Template:
        """The project's template that it comes from; only where it is open."""
        return self._source.bases.template

    def connect(self) -> Control:
        """Return the control connection; a stale database is cloned afresh first.

        Raises:
            CrucibleError: If the database was never made, or is lost.
        """
        if self._inherited is not None:
            self.join()
        elif self.stale:
            self.renew()
        if self._control is None:
            raise self.attempts.refusal()
        return self._control

    @property
    def _source(self) -> Source:
        if self._made_from is None:  # pragma: no cover - it is never needed before
            raise ServerError(f"The worker database {self.name} was not made yet.")
        return self._made_from

    # -- from a template to a database -------------------------------------------------------------------------------

    def open(self, admin: Admin, rights: Rights, template: templates.Template) -> None:
        """Make the worker database from *template*, for the first time."""
        self._made_from = Source(admin, rights, Bases(template))
        self._clone()

    def renew(self) -> None:
        """Drop a stale database, and clone it afresh.

        Raises:
            CrucibleError: If that fails, or the database is lost.
        """
        with self._lock:
            if self.stale:  # else another thread has renewed it
                with self.attempts.one():
                    self._source.bases.save(self._control)
                    self.disconnect()
                    self._clone()

    def prepare_successor(self) -> None:
        """Have the next fresh clone made in the background."""
        admin, _, bases = self._source
        self._successor.prepare(admin, bases.top)

    def leave_to_parent(self) -> None:
        """Leave the control connection to the parent, in a forked child."""
        forks.INHERITED.append(self._control)
        self._inherited, self._control = self._control or self._inherited, None
        self._successor.leave_to_parent()
        self.is_resetting = False
        self._lock = threading.RLock()

    def join(self) -> None:
        """Open a control connection for this process, in a forked child whose parent had one."""
        if self._control is None and self._inherited is not None:
            self._control = Control(self._inherited.address, self._source.rights)

    def backends(self) -> set[int]:
        """Return the pids of the backends in it, without that of the control connection."""
        return self._source.admin.backends(self.name) - ({self._control.pid} if self._control is not None else set())

    def is_quiet(self, *, held: bool) -> bool:
        """Return whether surely no other backend has an open transaction in it; see `Control.reset` for *held*."""
        control = self.connect()
        return not held and not control.prepares and self._source.admin.is_quiet(self.name, control.pid)

    def disconnect(self) -> None:
        """Close the control connection."""
        if self._control is not None:
            self._control.close()

    def drop(self, admin: Admin) -> None:
        """Drop the worker database, its successor, and the copies below it."""
        self._successor.end()
        self.disconnect()
        for name in admin.databases(self.name.removesuffix("1")):
            admin.drop(name)

    def _clone(self) -> None:
        """Make the worker database from the topmost base, in the place of the old one, if any."""
        admin, rights, bases = self._source
        if not self._successor.take_place(admin, bases.top):
            admin.drop(self.name)
            templates.clone(admin, bases.top, self.name)
        self._control = control = Control(admin.address.to(self.name), rights)
        self._notes += [
            f"rows in {table} are gone: they were written on top of DDL of a fixture that is torn down"
            for table in bases.lay(control)
        ]
        self.generation += 1
        self.targets.clear()
        self.stale = False

    # -- after a test ------------------------------------------------------------------------------------------------

    def discard(self) -> None:
        """Have the next user of the database get a fresh clone."""
        self.stale = self._control is not None
        self.needs_clones = self.needs_clones or self.stale
        self.is_resetting = False  # last: a thread that connects looks at it first

    def send_reset(self, allowed: tuple[int, ...] = (), *, held: bool = False, every_one: bool = False) -> None:
        """Send the reset; every use of the database waits for it. See `Control.send_reset`."""
        control = self.connect()
        self._answer, self.is_resetting = None, True  # before it is sent: a time-out may come at any time
        control.send_reset(allowed, held=held, every_one=every_one)

    def answer(self) -> Answer:
        """Return the answer to the reset that was sent last; discard the database where only a clone can restore it.

        Raises:
            ServerError: If the database is lost.
        """
        with self._lock:
            if self._answer is None:
                self._answer = self._received(self.connect())
                self.is_resetting = False
            return self._answer

    def _received(self, control: Control) -> Answer:
        try:
            answer = control.answer()
        except psycopg.OperationalError as error:
            self.is_resetting = False
            self.discard()
            raise self.attempts.lost(error) from error
        except psycopg.Error as error:
            # A constraint that the baseline itself does not meet (NOT VALID), a type's input function that changed:
            # a clone asks no such question.
            answer = Answer("clone", why=f"rows that cannot be inserted again: {str(error).splitlines()[0]}")
        if answer.done == "clone":
            self.clones.append(answer.why)
            self.discard()
        return answer

    def keep(self, test: str, run: str) -> str:
        """Set the database of a failed *test* aside under a name of its own, which is returned."""
        kept = names.kept(test, run, self.key or "")
        with self._discarded_if_cut_short():
            self.disconnect()
            self._source.admin.rename(self.name, kept)
            self._clone()
        return kept

    @contextmanager
    def _discarded_if_cut_short(self) -> Iterator[None]:
        """Discard the database if a time-out or Ctrl-C cuts the block short: its contents are unknown then."""
        try:
            yield
        except (CrucibleError, psycopg.Error):
            raise
        except BaseException:
            self.discard()
            raise

    # -- layers ------------------------------------------------------------------------------------------------------

    def capture(self, layer: int, *, briefly: bool = False) -> bool | None:
        """Take the commits of a wide fixture, or *briefly* of a test, into *layer*.

        Returns:
            Whether there were any; None if only a copy of the whole database can be that layer.
        """
        if self.stale:
            return False
        with self._discarded_if_cut_short():
            return self._source.bases.capture(layer, self.connect(), briefly=briefly)

    def copy_as_layer(self, layer: int) -> None:
        """Copy the whole database as the layer of a wide fixture that changed the schema; all connections to it end."""
        admin, _, bases = self._source
        with self._discarded_if_cut_short():
            control = self.connect()
            bases.save(control)
            control.seal()
            control.close()
            copy = templates.keep_as_template(admin, self.name, next(self._further_names), self.template.owner)
            bases.add(copy, layer)
            self._clone()

    def take_off(self, layer: int, reason: str = "DDL in the teardown of a wide fixture") -> None:
        """Take *layer* off, and leave the rest of the baseline; *reason*: of the fresh clone, where it needs one."""
        admin, _, bases = self._source
        with self._discarded_if_cut_short():
            if bases.drop_copy(layer, admin):
                self.discard()
            if not bases.take_off(layer, None if self.stale else self._control):
                self.clones.append(reason)
                self.discard()

    def forget(self, layer: int) -> None:
        """Have the next clone made without *layer*, which stays in this one."""
        admin, _, bases = self._source
        bases.drop_copy(layer, admin)
        bases.take_off(layer, None)
