"""The rights of the control connection's role, and the SQL that is installed into a template for them."""

from __future__ import annotations

from importlib.resources import files
from typing import NamedTuple

# The control connection waits only so long for a lock that a leaked transaction holds.
LOCK_TIMEOUT_MS = 500

# The text of values must not depend on what the application set for its database: see seed in reset.sql.
SESSION = (
    "-c DateStyle=ISO -c IntervalStyle=postgres -c extra_float_digits=1 -c bytea_output=hex -c xmloption=content"
    f" -c lock_timeout={LOCK_TIMEOUT_MS} -c statement_timeout=0 -c row_security=off"
    " -c default_transaction_read_only=off -c default_transaction_isolation=read\\ committed"
    " -c client_min_messages=warning"
    # Rows are read in their physical order, and those of a big table are compared in memory; pages are cached.
    " -c synchronize_seqscans=off -c work_mem=64MB -c random_page_cost=1"
)

# A table with more rows is restored by difference: to empty and fill one with so many takes 10 to 15 ms.
MANY_ROWS = 1_000
MANY = "CREATE FUNCTION pg_crucible.many() RETURNS bigint LANGUAGE sql IMMUTABLE AS 'SELECT {}';"

# Statements of a session that knows the key leave no marks.
OWN = "SELECT set_config('pg_crucible.own', (SELECT own FROM pg_crucible.key), false)"


class Rights(NamedTuple):
    """The rights of the control connection's role, which decide what is installed.

    Attributes:
        superuser: Whether it is a superuser: it may create event triggers, and a schema that begins with ``pg_`` as
            the catalog does, so that tools that list or compare schemas do not show it.
        replica: Whether it may set ``session_replication_role = replica``: foreign keys and triggers are off.
        owned: Whether the server is Crucible's, so that the application is no superuser.
    """

    superuser: bool
    replica: bool
    owned: bool = True

    @property
    def schema(self) -> str:
        """The schema that Crucible installs."""
        return "pg_crucible" if self.superuser else "crucible"

    @property
    def session(self) -> str:
        """The settings of a control connection, as libpq's ``options``."""
        replica = " -c session_replication_role=replica" if self.replica else ""
        return f"{SESSION}{replica}"

    def source(self) -> str:
        """Return the SQL that is installed into a template: part of every fingerprint."""
        last = ("reset_owned.sql", "reset_joined.sql") if self.superuser else ("reset_plain.sql",)
        if self.superuser and not self.owned:
            last = (*last, "reset_watched.sql")
        names = ("reset.sql", "reset_baseline.sql", "reset_keys.sql", "reset_difference.sql", "reset_layers.sql", *last)
        text = "\n".join([MANY.format(MANY_ROWS), *((files(__package__) / name).read_text("utf-8") for name in names)])
        return text.replace("pg_crucible.", f"{self.schema}.").replace("'pg_crucible'", f"'{self.schema}'")

    def notes(self) -> list[str]:
        """Return the notes for the header on a role that is no superuser."""
        if self.superuser:
            return []
        lines = ["no superuser: DDL is found by comparing the catalog after each test"]
        if not self.replica:
            lines.append(
                "tables are reset in the order of their foreign keys, tables with triggers or rules by a fresh clone;"
                " this is faster after: GRANT SET ON PARAMETER session_replication_role TO the role"
            )
        return lines
