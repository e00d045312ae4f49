"""The server that a process leases, connected on first use: its administrator, its rights and its roles."""

from __future__ import annotations

import threading
from collections.abc import Sequence

from ..control import Admin, Rights, driver, templates
from ..control.database_names import process_of
from ..redirect import forks
from ..server import Lease, lease
from ..settings import Settings
from .roles import Roles


class LeasedServer:
    """The server of one process.

    Args:
        settings: The settings of the main database.
        run: The name of the run.
        databases: Names of databases by which other processes know that this one lives.
        notes: Lines for the summary, to which those about the server are added.
    """

    def __init__(self, settings: Settings, run: str, databases: Sequence[str], notes: list[str]) -> None:
        self.settings = settings
        self.run = run
        self._databases = databases
        self.notes = notes
        self._lock = threading.RLock()
        self._lease: Lease | None = None
        self._admin: Admin | None = None
        self._rights: Rights | None = None
        self._roles: Roles | None = None

    def lease(self) -> Lease:
        """Return the share in the server, which is taken on first use.

        Raises:
            ServerError: If the server cannot be started or reached.
        """
        with self._lock:
            if self._lease is None:
                with driver.imported_meanwhile():  # the server may take longer to start
                    self._lease = lease(self.settings.server, root=self.settings.root, linger=self.settings.linger)
                self.notes += self._lease.notes
            return self._lease

    def connect(self) -> Admin:
        """Return the administrator, who connects on first use.

        Raises:
            ServerError: If the server cannot be started or reached.
        """
        if self._admin is None:
            self._admin = Admin(self.lease(), self.run)
            for name in self._databases:
                self._admin.live(process_of(name))
        return self._admin

    def rights(self) -> Rights:
        """Return the rights of the administrator in the databases that are made here."""
        if self._rights is None:
            admin = self.connect()
            self._rights = Rights(admin.superuser, admin.superuser or admin.may_replicate(), admin.owned)
            self.notes += self._rights.notes()
        return self._rights

    def roles(self) -> Roles:
        """Return the roles of the application."""
        if self._roles is None:
            self._roles = Roles(self.connect(), self.notes, self.settings.server)
        return self._roles

    def leave_to_parent(self) -> None:
        """Leave the administrator's connection to the parent, in a forked child."""
        self._lock = threading.RLock()
        forks.INHERITED.append(self._admin)
        self._admin = None

    def drop_remains(self) -> None:
        """Drop the databases of dead processes: a worker that crashed, and whose replacement may have needed none."""
        if self._admin is not None:
            templates.collect_dead(self._admin)

    def disconnect(self) -> None:
        """Close the administrator's connection."""
        if self._admin is not None:
            self._admin.close()

    def release(self) -> None:
        """Give the share in the server back."""
        if self._lease is not None:
            self._lease.release()
            self._lease = None

    @property
    def is_connected(self) -> bool:
        """True if the administrator has connected."""
        return self._admin is not None
