"""Deferred constraints, checked where production checks them: at the session's commit.

A transaction that is rolled back never checks its deferred constraints. So the commit of a session, which is only a
RELEASE SAVEPOINT here, checks them explicitly, and afterwards every constraint has its initial mode again, as in the
new transaction that begins in production: the application's ``SET CONSTRAINTS`` ends with the commit.
"""

from __future__ import annotations

from sqlalchemy import text
from sqlalchemy.engine import Connection
from sqlalchemy.exc import DBAPIError

# Marks a statement as Crucible's, for the listeners that count or watch statements.
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
        """Check the deferred constraints, before *savepoint* is released.

        Raises:
            IntegrityError: As by COMMIT; the work since the savepoint is undone, as by a COMMIT that fails.
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
    """Return the statement that gives each constraint its initial mode; "" if no constraint can be deferred."""
    constraints = connection.execute(DEFERRABLE, execution_options=OWN).all()
    immediate = sorted({name for name, deferred in constraints if not deferred})
    if not constraints or not immediate:
        return "SET CONSTRAINTS ALL DEFERRED" if constraints else ""
    # IMMEDIATE by name after ALL, since a name may stand for several constraints, some of which cannot be deferred. In
    # a block, which is one round trip over every driver.
    return (
        "DO $crucible$ BEGIN SET CONSTRAINTS ALL DEFERRED;"
        f" SET CONSTRAINTS {', '.join(immediate)} IMMEDIATE; END $crucible$"
    )
