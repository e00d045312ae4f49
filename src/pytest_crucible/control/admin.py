"""SQL on the maintenance database of a server: databases, roles, and the locks by which runs know each other.

It is synchronous, over one psycopg connection that stays open for the run. An advisory lock on that connection shows
that the run is alive (PostgreSQL manual, 13.3.5: session-level advisory locks end with their session).
"""

from __future__ import annotations

import contextlib
import getpass
import os
import platform
import time
from collections.abc import Collection, Iterator, Sequence
from datetime import datetime, timezone
from typing import TYPE_CHECKING, Any

from ..errors import PermissionMissing, ServerError
from ..errors.masking import without_frames
from ..server import Lease
from ..server.address import Address
from ..server.libpq_environment import libpq
from . import marks, privileges
from .driver import psycopg, sql
from .marks import DatabaseEntry

if TYPE_CHECKING:
    from typing_extensions import LiteralString

# A DROP right after a client closed waits in steps of 100 ms; waiting for its backend first takes 1 to 3 ms.
CLOSING_SECONDS = 0.5
ATTEMPTS = 3
# A live run must not lose its locks because its connection is idle, and the locks of a machine that has vanished must
# not stay for the two hours that TCP waits (PostgreSQL manual, 20.3.2 and 20.11.1).
LASTING = "-c idle_session_timeout=0 -c tcp_keepalives_idle=60 -c tcp_keepalives_interval=10 -c tcp_keepalives_count=3"
# Locks are looked at, not tried: processes that start at the same moment would find each other's attempts. The lock of
# a bigint is shown as its two halves (PostgreSQL manual, 53.13).
DEAD = """
SELECT key FROM unnest(%s::text[]) AS key
WHERE hashtextextended(key, 0) NOT IN (
    SELECT (l.classid::bigint << 32) | l.objid::bigint FROM pg_locks l
    WHERE l.locktype = 'advisory' AND l.objsubid = 1 AND l.granted
      AND l.database = (SELECT oid FROM pg_database WHERE datname = current_database()))
"""
# Several statements in one message are one transaction: both names change, or none.
EXCHANGE = "ALTER DATABASE {} RENAME TO {}; ALTER DATABASE {} RENAME TO {}"
GRANTED_SETTINGS = 150000
SEPARATE_INHERITANCE = 160000


def connect(address: Address, options: str = "") -> psycopg.Connection[tuple[Any, ...]]:
    """Open a control connection to *address*, in autocommit mode.

    Args:
        address: The database and the role.
        options: Settings for the session, as libpq's ``options`` takes them (``-c name=value``).

    Raises:
        ServerError: If the server does not answer, has no such database, or has too many clients.
    """
    from .connection import ControlConnection

    try:
        kwargs: dict[str, Any] = libpq(address) | {"application_name": "pytest-crucible"}
        # Settings in the startup message win over those of the role and cost no round trip.
        kwargs["options"] = f"{LASTING} {options}"
        return ControlConnection.connect(autocommit=True, row_factory=psycopg.rows.tuple_row, **kwargs)
    except psycopg.OperationalError as error:
        raise _explained(error, address) from without_frames(error)


def _explained(error: psycopg.OperationalError, address: Address) -> ServerError:
    text = str(error).strip()
    if "too many clients" in text or "remaining connection slots" in text:
        return ServerError(
            f"PostgreSQL has no connection left: {text}",
            why="All of max_connections are in use: each worker's engines keep up to pool_size + max_overflow open.",
            do="Use smaller pools in tests, fewer workers, or a server with a larger max_connections.",
        )
    if "does not exist" in text:
        return ServerError(
            f"The database {address.database!r} is gone: {text}",
            why="It was dropped while the tests ran: by a clean-up script, or a test with DROP DATABASE.",
            do="Run the tests again; Crucible makes a new database from the template.",
        )
    return ServerError(
        f"PostgreSQL does not answer at {address.host}:{address.port}: {text}",
        why="The server was stopped or died while the tests ran.",
        do="Run the tests again. If the server is your own, look at its log.",
    )


class Admin:
    """The administrator's connection to one server.

    Args:
        lease: The share in the server; its administrator's address names the maintenance database.
        run: The name of the run, for the comments on its databases.
    """

    def __init__(self, lease: Lease, run: str = "") -> None:
        self.owned = lease.owned
        self.address = lease.admin
        self.room = lease.room
        self._lease = lease
        self._run_name = run
        self._connection = connect(lease.admin)
        self.version = self._connection.info.server_version
        self.superuser = self._value("SELECT rolsuper FROM pg_roles WHERE rolname = current_user") is True

    def close(self) -> None:
        """Close the connection, and so release every lock."""
        self._connection.close()

    def beside(self) -> Admin:
        """Return the same administrator on another connection, for another thread."""
        return Admin(self._lease, self._run_name)

    def cancel(self) -> None:
        """Cancel the statement that another thread executes."""
        with contextlib.suppress(psycopg.Error):
            self._connection.cancel()

    def may_replicate(self) -> bool:
        """Return whether a grant, as PostgreSQL 15 introduced it, lets the role set ``session_replication_role``."""
        if self.version < GRANTED_SETTINGS:
            return False
        return bool(self._value("SELECT has_parameter_privilege('session_replication_role', 'SET')"))

    def connections(self) -> int:
        """Return the number of connections that the server has for ordinary roles."""
        query = "SELECT coalesce(sum(setting::int), 0) FROM pg_settings WHERE name IN (%s, %s)"
        reserved = self._value(query, "superuser_reserved_connections", "reserved_connections")
        return int(str(self._value("SHOW max_connections"))) - int(str(reserved))

    def entries(self, prefix: str) -> list[DatabaseEntry]:
        """Return the databases whose names begin with *prefix*, with and without Crucible's mark."""
        rows = self._connection.execute(marks.ENTRIES, marks.parameters(prefix)).fetchall()
        return [DatabaseEntry(*row) for row in rows]

    def databases(self, prefix: str) -> dict[str, bool]:
        """Return the marked databases whose names begin with *prefix*: True for a complete template."""
        return {entry.name: entry.is_template for entry in self.entries(prefix) if entry.is_marked}

    def remarks(self, names: Sequence[str]) -> dict[str, str]:
        """Return the remark in the comment of each database among *names* that has one."""
        rows = self._connection.execute(marks.REMARKS, ([*names],)).fetchall()
        return dict(rows)

    def size(self, name: str) -> int | None:
        """Return the size of the database *name* in bytes; None if the role may not see it."""
        with contextlib.suppress(psycopg.errors.InsufficientPrivilege):
            return int(str(self._value("SELECT pg_database_size(%s)", name)))
        return None

    def role(self, name: str) -> bool:
        """Create the ordinary role *name* if it is missing, and return whether it was.

        It may only log in, so that row-level security and missing privileges have their effect in tests.
        """
        if self._value("SELECT true FROM pg_roles WHERE rolname = %s", name):
            return False
        with contextlib.suppress(psycopg.errors.DuplicateObject, psycopg.errors.UniqueViolation):
            self._run("CREATE ROLE {} LOGIN", name)
        return True

    def join(self, role: str, owner: str) -> bool:
        """Make *role* a member of *owner*; return False if *owner* is a member of *role*, which prevents it."""
        try:
            with contextlib.suppress(psycopg.errors.UniqueViolation, psycopg.errors.InternalError_):
                self._run("GRANT {} TO {}", owner, role)
        except psycopg.errors.InvalidGrantOperation:
            return False
        return True

    def leave(self, role: str, owner: str) -> None:
        """Revoke the membership that `join` granted, if there is one."""
        query = "SELECT true FROM pg_auth_members m WHERE m.member::regrole::text = quote_ident(%s)"
        query += " AND m.roleid::regrole::text = quote_ident(%s) AND m.grantor = current_user::regrole"
        if self._value(query, role, owner):
            with contextlib.suppress(psycopg.errors.InternalError_):
                self._run("REVOKE {} FROM {}", owner, role)

    def may_create_roles(self, role: str, *, yes: bool) -> None:
        """Give *role* the right to create roles, or take it away."""
        with contextlib.suppress(psycopg.errors.InternalError_):
            self._run("ALTER ROLE {} CREATEROLE" if yes else "ALTER ROLE {} NOCREATEROLE", role)

    def lend(self, role: str, to: str) -> None:
        """Let *to* become *role* by SET ROLE, without its privileges before that; from PostgreSQL 16 on."""
        if self.version >= SEPARATE_INHERITANCE:
            with contextlib.suppress(psycopg.errors.UniqueViolation, psycopg.errors.InternalError_):
                self._run("GRANT {} TO {} WITH INHERIT FALSE, SET TRUE", role, to)

    def extend(self, database: str, extensions: Sequence[str]) -> None:
        """Create those of the *extensions* that only a superuser may create, if the server has them.

        An administrator does so in production. Trusted extensions are left to the database's owner (PostgreSQL
        manual, CREATE EXTENSION).
        """
        query = (
            "SELECT v.name FROM pg_available_extension_versions v JOIN pg_available_extensions e"
            " ON e.name = v.name AND e.default_version = v.version"
            " WHERE v.superuser AND NOT v.trusted AND v.name = ANY (%s)"
        )
        untrusted = [row[0] for row in self._connection.execute(query, (list(extensions),)).fetchall()]
        if untrusted:
            with connect(self.address.to(database)) as connection:
                for name in untrusted:
                    statement = sql.SQL("CREATE EXTENSION IF NOT EXISTS {} CASCADE")
                    connection.execute(statement.format(sql.Identifier(name)))

    def create(self, name: str, *, owner: str, template: str, clauses: sql.Composable | None = None) -> None:
        """Create the database *name* from *template*, with Crucible's mark.

        Raises:
            PermissionMissing: If the role may not create databases.
        """
        statement = sql.SQL("CREATE DATABASE {} OWNER {} TEMPLATE {} CONNECTION LIMIT {} {}").format(
            *map(sql.Identifier, (name, owner, template)), sql.Literal(marks.MARK), clauses or sql.SQL("")
        )
        try:
            self._create_with_retries(statement)
        except psycopg.errors.InsufficientPrivilege as error:
            raise PermissionMissing(
                f"The role {self.address.user!r} may not create a database: {str(error).strip()}",
                why="Crucible creates its own databases, so the role in crucible_server needs CREATEDB.",
                do=f'Let an administrator run: ALTER ROLE "{self.address.user}" CREATEDB',
            ) from error
        self.note(name, "")

    def _create_with_retries(self, statement: sql.Composed) -> None:
        """Run CREATE DATABASE again if its template was in use, for example by an autovacuum worker."""
        for _ in range(ATTEMPTS - 1):
            with contextlib.suppress(psycopg.errors.ObjectInUse):  # PostgreSQL itself has waited for five seconds
                self._connection.execute(statement)
                return
        self._connection.execute(statement)

    def mark_template(self, name: str) -> None:
        """Mark the template *name* as complete: the last step of a build, without which it counts as debris."""
        self._run("ALTER DATABASE {} WITH IS_TEMPLATE true ALLOW_CONNECTIONS false", name)

    def drop(self, name: str) -> None:
        """Drop Crucible's database *name*, if it exists, and end the sessions in it.

        Raises:
            ServerError: If the database lacks Crucible's mark.
        """
        entry = next((entry for entry in self.entries(name) if entry.name == name), None)
        if entry is None:
            return
        if not entry.is_marked:
            raise _unmarked(entry)
        if entry.is_template:
            self._run("ALTER DATABASE {} WITH IS_TEMPLATE false", name)
        self.empty(name)
        self._run("DROP DATABASE IF EXISTS {} WITH (FORCE)", name)

    def rename(self, name: str, to: str) -> None:
        """Give the database *name* another name, after ending the sessions in it."""
        self.empty(name)
        self.drop(to)
        self._run("ALTER DATABASE {} RENAME TO {}", name, to)
        self.note(to)

    def exchange(self, name: str, by: str, old: str) -> bool:
        """Give the database *by* the name of the database *name*, after ending the sessions in that.

        Returns:
            Whether there is the former database *name* still, as *old*; else it is dropped.

        Raises:
            ServerError: If the database *name* lacks Crucible's mark.
        """
        if self.databases(name).get(name) is False:
            self._run("ALTER DATABASE {} ALLOW_CONNECTIONS false", name)
            self.empty(name)
            with contextlib.suppress(psycopg.errors.ObjectInUse):
                self._run(EXCHANGE, name, old, by, name)
                return True
        self.drop(name)
        self._run("ALTER DATABASE {} RENAME TO {}", by, name)
        return False

    def backends(self, name: str) -> set[int]:
        """Return the pids of the backends in the database *name*."""
        query = "SELECT pid FROM pg_stat_activity WHERE datname = %s AND backend_type = 'client backend'"
        return {int(pid) for (pid,) in self._connection.execute(query, (name,))}

    def is_quiet(self, name: str, but: int) -> bool:
        """Return whether no backend in the database *name* is in a transaction or holds a lock, *but* one of them."""
        query = (
            "SELECT EXISTS (SELECT FROM pg_locks l JOIN pg_stat_activity a USING (pid)"
            " WHERE l.locktype IN ('virtualxid', 'advisory') AND a.datname = %s AND pid <> %s)"
        )
        return not self._value(query, name, but)

    def empty(self, name: str) -> None:
        """End the sessions in the database *name*, and wait until they are gone."""
        query = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = %s"
        deadline = time.monotonic() + CLOSING_SECONDS
        while self._connection.execute(query, (name,)).fetchone() and time.monotonic() < deadline:
            query = "SELECT true FROM pg_stat_activity WHERE datname = %s LIMIT 1"
            time.sleep(0.001)

    def note(self, name: str, remark: str | None = None) -> None:
        """Sign the database *name* as used now (COMMENT), with *remark* below; None keeps the old remark."""
        if remark is None:
            remark = self.remarks([name]).get(name, "")
        text = marks.signature(_user(), platform.node(), self._run_name, datetime.now(timezone.utc))
        text += f"\n{remark}" if remark else ""
        # Another run may sign it at the same moment ("tuple concurrently updated"): one signature is enough.
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
            self._unlock(key)

    @contextlib.contextmanager
    def alone(self, key: str) -> Iterator[bool]:
        """Hold the advisory lock *key*, unless another process holds it or lives by it; yield whether it is held."""
        is_held = self._value("SELECT pg_try_advisory_lock(hashtextextended(%s, 0))", key) is True
        try:
            yield is_held
        finally:
            if is_held:
                self._unlock(key)

    def _unlock(self, key: str) -> None:
        with contextlib.suppress(psycopg.OperationalError):
            self._connection.execute("SELECT pg_advisory_unlock(hashtextextended(%s, 0))", (key,))

    def live(self, key: str) -> None:
        """Hold *key* for as long as this process lives, as a shared lock: a run may have several workers."""
        self._connection.execute("SELECT pg_advisory_lock_shared(hashtextextended(%s, 0))", (key,))

    def dead(self, keys: Collection[str]) -> set[str]:
        """Return those of *keys* that no process holds, this one included."""
        rows = self._connection.execute(DEAD, ([*keys],)).fetchall() if keys else []
        return {key for (key,) in rows}

    def is_dead(self, key: str) -> bool:
        """Return whether no process holds *key*."""
        return key in self.dead([key])

    def copy_rights(self, template: str, to: str) -> None:
        """Give the database *to* the privileges and settings of *template*, which a clone does not inherit."""
        for statement in privileges.statements(self._connection, template, to):
            self._connection.execute(statement)

    def _value(self, query: LiteralString, *arguments: object) -> object:
        row = self._connection.execute(query, arguments).fetchone()
        return row[0] if row else None

    def _run(self, statement: LiteralString, *names: str) -> None:
        self._connection.execute(sql.SQL(statement).format(*map(sql.Identifier, names)))


def _unmarked(entry: DatabaseEntry) -> ServerError:
    return ServerError(
        f"The database {entry.name!r} is not dropped: it does not bear Crucible's mark.",
        why="Its name looks like one of Crucible's, but another client, or an older Crucible, created it.",
        do=f"If it is not needed, drop it by hand: {entry.drop_by_hand()}",
    )


def _user() -> str:
    try:
        return getpass.getuser()
    except (KeyError, OSError):  # the user has no entry in the password database, as in many containers
        return str(os.getuid())
