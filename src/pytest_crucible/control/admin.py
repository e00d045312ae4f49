"""SQL on the maintenance database of a server: databases, roles, and the locks by which runs know each other.

Synchronous, over one psycopg connection that stays open for the run: an advisory lock on it says that the run
is alive (PostgreSQL manual, 13.3.5: session-level advisory locks end with their session).
"""

from __future__ import annotations

import contextlib
import getpass
import os
import platform
import time
from collections.abc import Iterator, Sequence
from datetime import datetime, timezone
from typing import TYPE_CHECKING, Any

import psycopg
from psycopg import sql
from psycopg.rows import tuple_row

from ..errors import PermissionMissing, ServerError
from ..errors.masking import without_frames
from ..server import Lease
from ..server.address import Address
from ..server.libpq_environment import libpq
from . import marks, privileges
from .marks import DatabaseEntry

if TYPE_CHECKING:
    from typing_extensions import LiteralString

# A DROP right after a client closed waits in steps of 100 ms; looking first costs 1 to 3.
CLOSING_SECONDS = 0.5
ATTEMPTS = 3
# The locks of a live run must not go because nothing happens on their connection, and those of a machine that has
# vanished must not stay for the two hours that TCP waits (PostgreSQL manual, 20.3.2 and 20.11.1).
LASTING = (
    "SET idle_session_timeout = 0; SET tcp_keepalives_idle = 60; SET tcp_keepalives_interval = 10;"
    " SET tcp_keepalives_count = 3"
)
GRANTED_SETTINGS = 150000
SEPARATE_INHERITANCE = 160000


def connect(address: Address, options: str = "") -> psycopg.Connection[tuple[Any, ...]]:
    """A control connection to *address*, in autocommit mode.

    Args:
        address: Where to, and as whom.
        options: Settings for the session, as libpq's ``options`` takes them (``-c name=value``).

    Raises:
        ServerError: If the server does not answer, has no such database, or has too many clients.
    """
    try:
        words: dict[str, Any] = libpq(address) | {"application_name": "pytest-crucible"}
        connection = psycopg.connect(autocommit=True, row_factory=tuple_row, options=options, **words)
        connection.execute(LASTING)
        return connection
    except psycopg.OperationalError as error:
        raise _explained(error, address) from without_frames(error)


def _explained(error: psycopg.OperationalError, address: Address) -> ServerError:
    text = str(error).strip()
    if "too many clients" in text or "remaining connection slots" in text:
        return ServerError(
            f"PostgreSQL has no connection left: {text}",
            why="All of max_connections are taken: each worker's engines keep pool_size + max_overflow of them.",
            do="Use smaller pools in tests, fewer workers, or a server with a larger max_connections.",
        )
    if "does not exist" in text:
        return ServerError(
            f"The database {address.database!r} is gone: {text}",
            why="Something dropped it while the tests ran: a clean-up script, or a test with DROP DATABASE.",
            do="Run the tests again; a new database is made from the template.",
        )
    return ServerError(
        f"PostgreSQL does not answer at {address.host}:{address.port}: {text}",
        why="The server was stopped or died while the tests ran.",
        do="Run the tests again. On a server of your own, look at its log.",
    )


class Admin:
    """The administrator's view of one server.

    Args:
        lease: The share in the server; its administrator's address leads to the maintenance database.
        run: Names the run, in the comments on its databases.
    """

    def __init__(self, lease: Lease, run: str = "") -> None:
        self.owned = lease.owned
        self.address = lease.admin
        self._run_name = run
        self._connection = connect(lease.admin)
        self.version = self._connection.info.server_version
        self._alive: set[str] = set()
        self.superuser = self._value("SELECT rolsuper FROM pg_roles WHERE rolname = current_user") is True

    def close(self) -> None:
        """Give the connection back, and with it every lock."""
        self._connection.close()

    def may_replicate(self) -> bool:
        """Whether the role may set ``session_replication_role``: by a grant, which PostgreSQL 15 introduced."""
        if self.version < GRANTED_SETTINGS:
            return False
        return bool(self._value("SELECT has_parameter_privilege('session_replication_role', 'SET')"))

    def connections(self) -> int:
        """How many connections the server has for roles that are no superusers."""
        reserved = "SELECT coalesce(sum(setting::int), 0) FROM pg_settings WHERE name IN (%s, %s)"
        kept = self._value(reserved, "superuser_reserved_connections", "reserved_connections")
        return int(str(self._value("SHOW max_connections"))) - int(str(kept))

    def entries(self, prefix: str) -> list[DatabaseEntry]:
        """Return the databases whose names begin with *prefix*, ours or not."""
        rows = self._connection.execute(marks.ENTRIES, marks.parameters(prefix)).fetchall()
        return [DatabaseEntry(*row) for row in rows]

    def databases(self, prefix: str) -> dict[str, bool]:
        """Return our databases whose names begin with *prefix*, each with whether it is a complete template."""
        return {entry.name: entry.is_template for entry in self.entries(prefix) if entry.is_marked}

    def size(self, name: str) -> int | None:
        """Return how many bytes the database *name* takes; None where the role may not ask."""
        with contextlib.suppress(psycopg.errors.InsufficientPrivilege):
            return int(str(self._value("SELECT pg_database_size(%s)", name)))
        return None

    def role(self, name: str) -> bool:
        """Create the ordinary role *name* if it is missing; whether it was.

        It may log in and nothing else: row-level security and missing privileges must show.
        """
        if self._value("SELECT true FROM pg_roles WHERE rolname = %s", name):
            return False
        with contextlib.suppress(psycopg.errors.DuplicateObject, psycopg.errors.UniqueViolation):
            self._run("CREATE ROLE {} LOGIN", name)
        return True

    def join(self, role: str, owner: str) -> bool:
        """Make *role* a member of *owner*; False where it cannot be, because *owner* is a member of *role*."""
        try:
            with contextlib.suppress(psycopg.errors.UniqueViolation, psycopg.errors.InternalError_):
                self._run("GRANT {} TO {}", owner, role)
        except psycopg.errors.InvalidGrantOperation:
            return False
        return True

    def leave(self, role: str, owner: str) -> None:
        """Take back what `join` did; nothing where it did not."""
        ours = "SELECT true FROM pg_auth_members m WHERE m.member::regrole::text = quote_ident(%s)"
        ours += " AND m.roleid::regrole::text = quote_ident(%s) AND m.grantor = current_user::regrole"
        if self._value(ours, role, owner):
            with contextlib.suppress(psycopg.errors.InternalError_):
                self._run("REVOKE {} FROM {}", owner, role)

    def may_create_roles(self, role: str, *, yes: bool) -> None:
        """Let *role* create roles, or no longer."""
        with contextlib.suppress(psycopg.errors.InternalError_):
            self._run("ALTER ROLE {} CREATEROLE" if yes else "ALTER ROLE {} NOCREATEROLE", role)

    def lend(self, role: str, to: str) -> None:
        """Let *to* become *role* by SET ROLE, and have none of its privileges before; from PostgreSQL 16 on."""
        if self.version >= SEPARATE_INHERITANCE:
            with contextlib.suppress(psycopg.errors.UniqueViolation, psycopg.errors.InternalError_):
                self._run("GRANT {} TO {} WITH INHERIT FALSE, SET TRUE", role, to)

    def extend(self, database: str, extensions: Sequence[str]) -> None:
        """Create those of the *extensions* that only a superuser may, where the server has them.

        As a database's administrator does in production; "trusted" ones are left to its owner (PostgreSQL manual,
        CREATE EXTENSION).
        """
        query = (
            "SELECT v.name FROM pg_available_extension_versions v JOIN pg_available_extensions e"
            " ON e.name = v.name AND e.default_version = v.version"
            " WHERE v.superuser AND NOT v.trusted AND v.name = ANY (%s)"
        )
        closed = [row[0] for row in self._connection.execute(query, (list(extensions),)).fetchall()]
        if closed:
            with connect(self.address.to(database)) as connection:
                for name in closed:
                    statement = sql.SQL("CREATE EXTENSION IF NOT EXISTS {} CASCADE")
                    connection.execute(statement.format(sql.Identifier(name)))

    def create(self, name: str, *, owner: str, template: str, words: sql.Composable | None = None) -> None:
        """Create the database *name* from *template*, with our mark.

        Raises:
            PermissionMissing: If the role may not create databases.
        """
        statement = sql.SQL("CREATE DATABASE {} OWNER {} TEMPLATE {} CONNECTION LIMIT {} {}").format(
            *map(sql.Identifier, (name, owner, template)), sql.Literal(marks.MARK), words or sql.SQL("")
        )
        try:
            self._patiently(statement)
        except psycopg.errors.InsufficientPrivilege as error:
            raise PermissionMissing(
                f"The role {self.address.user!r} may not create a database: {str(error).strip()}",
                why="Crucible works in databases of its own, so the role in crucible_server needs CREATEDB.",
                do=f'Let an administrator run: ALTER ROLE "{self.address.user}" CREATEDB',
            ) from error
        self.note(name, "")

    def _patiently(self, statement: sql.Composed) -> None:
        """Run CREATE DATABASE again where its template was in use: by an autovacuum worker, for instance."""
        for _ in range(ATTEMPTS - 1):
            with contextlib.suppress(psycopg.errors.ObjectInUse):  # PostgreSQL itself has waited for five seconds
                self._connection.execute(statement)
                return
        self._connection.execute(statement)

    def mark_template(self, name: str) -> None:
        """Say that *name* is complete: the last step of a build, without which it counts as debris."""
        self._run("ALTER DATABASE {} WITH IS_TEMPLATE true ALLOW_CONNECTIONS false", name)

    def drop(self, name: str) -> None:
        """Drop the database *name* of ours, and end the sessions in it; do nothing where there is none.

        Raises:
            ServerError: If the database lacks our mark.
        """
        entry = next((entry for entry in self.entries(name) if entry.name == name), None)
        if entry is None:
            return
        if not entry.is_marked:
            raise _not_ours(entry)
        if entry.is_template:
            self._run("ALTER DATABASE {} WITH IS_TEMPLATE false", name)
        self.empty(name)
        self._run("DROP DATABASE IF EXISTS {} WITH (FORCE)", name)

    def rename(self, name: str, to: str) -> None:
        """Give the database *name* another name; whoever is connected to it is thrown out."""
        self.empty(name)
        self.drop(to)
        self._run("ALTER DATABASE {} RENAME TO {}", name, to)
        self.note(to)

    def backends(self, name: str) -> set[int]:
        """Return the pids of the backends in the database *name*."""
        query = "SELECT pid FROM pg_stat_activity WHERE datname = %s AND backend_type = 'client backend'"
        return {int(pid) for (pid,) in self._connection.execute(query, (name,))}

    def empty(self, name: str) -> None:
        """Throw everybody out of the database *name*, and wait until they are gone."""
        self._connection.execute("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = %s", (name,))
        deadline = time.monotonic() + CLOSING_SECONDS
        while time.monotonic() < deadline and self._value(
            "SELECT true FROM pg_stat_activity WHERE datname = %s LIMIT 1", name
        ):
            time.sleep(0.001)

    def note(self, name: str, remark: str | None = None) -> None:
        """Write on the database *name* who uses it now (COMMENT), and below it *remark*; None keeps what is there."""
        if remark is None:
            remark = next((entry.remark for entry in self.entries(name) if entry.name == name), "")
        text = marks.signature(_user(), platform.node(), self._run_name, datetime.now(timezone.utc))
        text += f"\n{remark}" if remark else ""
        # Another run may write its own at this very moment ("tuple concurrently updated"): one of them is enough.
        with contextlib.suppress(psycopg.errors.InternalError_, psycopg.errors.InsufficientPrivilege):
            self._connection.execute(
                sql.SQL("COMMENT ON DATABASE {} IS {}").format(sql.Identifier(name), sql.Literal(text))
            )

    @contextlib.contextmanager
    def locked(self, key: str) -> Iterator[None]:
        """Hold the advisory lock *key*, on this server and so across processes and machines."""
        self._connection.execute("SELECT pg_advisory_lock(hashtextextended(%s, 0))", (key,))
        try:
            yield
        finally:
            with contextlib.suppress(psycopg.OperationalError):
                self._connection.execute("SELECT pg_advisory_unlock(hashtextextended(%s, 0))", (key,))

    def live(self, key: str) -> None:
        """Hold *key* for as long as this process lives: shared, since several workers make one run."""
        self._connection.execute("SELECT pg_advisory_lock_shared(hashtextextended(%s, 0))", (key,))
        self._alive.add(key)

    def is_dead(self, key: str) -> bool:
        """Whether nobody holds *key*."""
        # A session's own lock is in no way of its own (PostgreSQL manual, 9.28.10): asked, it would seem dead.
        if key in self._alive or not self._value("SELECT pg_try_advisory_lock(hashtextextended(%s, 0))", key):
            return False
        self._connection.execute("SELECT pg_advisory_unlock(hashtextextended(%s, 0))", (key,))
        return True

    def copy_rights(self, template: str, to: str) -> None:
        """Give the database *to* the privileges and settings of *template*: a clone does not inherit them."""
        for statement in privileges.statements(self._connection, template, to):
            self._connection.execute(statement)

    def _value(self, query: LiteralString, *arguments: object) -> object:
        row = self._connection.execute(query, arguments).fetchone()
        return row[0] if row else None

    def _run(self, statement: LiteralString, *names: str) -> None:
        self._connection.execute(sql.SQL(statement).format(*map(sql.Identifier, names)))


def _not_ours(entry: DatabaseEntry) -> ServerError:
    return ServerError(
        f"The database {entry.name!r} is not dropped: it does not bear Crucible's mark.",
        why="Its name looks like one of Crucible's, but another client, or an older Crucible, made it.",
        do=f"If it may go, drop it by hand: {entry.drop_by_hand()}",
    )


def _user() -> str:
    try:
        return getpass.getuser()
    except (KeyError, OSError):  # a number without an entry, as in many containers
        return str(os.getuid())
