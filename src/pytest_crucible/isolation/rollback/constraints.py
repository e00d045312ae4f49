"""Deferred constraints, checked where production checks them: at the session's commit.

A transaction that is rolled back never gets to its deferred constraints. So the commit of a session, which is only a
RELEASE SAVEPOINT here, checks them by itself, and afterwards every constraint has its initial mode again, as in the
new transaction that begins in production: ``SET CONSTRAINTS`` of the application's ends with the commit.
"""

from __future__ import annotations

from sqlalchemy import text
from sqlalchemy.engine import Connection
from sqlalchemy.exc import DBAPIError

# Marks a statement as ours, for whoever counts or watches statements.
OWN = {"crucible_own": True}

DEFERRABLE = text(
    "SELECT format('%I.%I', n.nspname, c.conname), c.condeferred"
    " FROM pg_catalog.pg_constraint c JOIN pg_catalog.pg_namespace n ON n.oid = c.connamespace WHERE c.condeferrable"
)


class Constraints:
    """The deferrable constraints of one schema."""

    def __init__(self) -> None:
        self._afterwards: str | None = None

    def check(self, connection: Connection, savepoint: str) -> None:
        """Check what is deferred, before *savepoint* is released.

        Raises:
            IntegrityError: As COMMIT does; what was done since the savepoint is undone, as by a COMMIT that fails.
        """
        if self._afterwards is None:
            self._afterwards = _initial_modes(connection)
        if not self._afterwards:
            return
        try:
            connection.exec_driver_sql("SET CONSTRAINTS ALL IMMEDIATE", execution_options=OWN)
        except DBAPIError as error:
            connection.dialect.do_rollback_to_savepoint(connection, savepoint)
            connection.dialect.do_release_savepoint(connection, savepoint)
            # The application committed; it sent no such statement.
            error.statement = error.params = None
            raise
        connection.exec_driver_sql(self._afterwards, execution_options=OWN)


def _initial_modes(connection: Connection) -> str:
    """The statement that gives each constraint its initial mode; nothing where no constraint can be deferred."""
    found = connection.execute(DEFERRABLE, execution_options=OWN).all()
    immediate = sorted({name for name, deferred in found if not deferred})
    if not found or not immediate:
        return "SET CONSTRAINTS ALL DEFERRED" if found else ""
    # By name after ALL, since a name may stand for several constraints, some of which cannot be deferred. In a block,
    # which is one round trip over every driver.
    return (
        "DO $crucible$ BEGIN SET CONSTRAINTS ALL DEFERRED;"
        f" SET CONSTRAINTS {', '.join(immediate)} IMMEDIATE; END $crucible$"
    )
