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
        self._statement: str | None = None

    def check(self, connection: Connection, savepoint: str) -> None:
        """Check what is deferred, before *savepoint* is released.

        Raises:
            IntegrityError: As COMMIT does; what was done since the savepoint is undone, as by a COMMIT that fails.
        """
        if self._statement is None:
            self._statement = _statement(connection)
        if not self._statement:
            return
        try:
            connection.exec_driver_sql(self._statement, execution_options=OWN)
        except DBAPIError as error:
            connection.dialect.do_rollback_to_savepoint(connection, savepoint)
            connection.dialect.do_release_savepoint(connection, savepoint)
            # The application committed; it sent no such statement.
            error.statement = error.params = None
            raise


def _statement(connection: Connection) -> str:
    """Check everything, then give each constraint its initial mode; nothing where no constraint can be deferred.

    One statement, so that it is one round trip over every driver.
    """
    found = connection.execute(DEFERRABLE, execution_options=OWN).all()
    if not found:
        return ""
    steps = ["SET CONSTRAINTS ALL IMMEDIATE", "SET CONSTRAINTS ALL DEFERRED"]
    immediate = sorted({name for name, deferred in found if not deferred})
    if immediate:
        # Constraints are named after ALL: a name may stand for several, of which some cannot be deferred.
        steps.append(f"SET CONSTRAINTS {', '.join(immediate)} IMMEDIATE")
    body = "; ".join(steps)
    return f"DO $crucible$ BEGIN {body}; END $crucible$"
