"""A server that somebody else runs, named by its URL."""

from __future__ import annotations

import re
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from ..errors import CrucibleError, PermissionMissing, ServerError
from ..errors.masking import mask, without_frames
from . import url as urls
from .address import Address
from .embedded.binaries import OLDEST
from .libpq_environment import libpq

if TYPE_CHECKING:
    import psycopg

CONNECT_SECONDS = 10
FACTS = """
SELECT current_setting('server_version_num')::int AS number, current_setting('server_version') AS version,
       rolcreatedb OR rolsuper AS may_create, pg_is_in_recovery() AS standby
FROM pg_roles WHERE rolname = current_user
"""


ADVICE = (
    (
        r"too many (clients|connections)|remaining connection slots",
        "All its connections are taken: each worker process needs one, and one for each engine of the application.",
        "Run fewer workers (pytest -n), or raise max_connections on the server.",
    ),
    (
        r"database .* does not exist",
        "The URL must name a database that is there already: Crucible creates others from it, and leaves it alone.",
        "End the URL with /postgres.",
    ),
    (
        r"authentication failed|no password|role .* does not exist|not permitted to log in|no pg_hba.conf entry",
        "The server does not accept this role or its password.",
        "Check the user and password in crucible_server.",
    ),
    (
        r"SSL|certificate",
        "Server and URL do not agree about TLS.",
        "Set sslmode and sslrootcert in the URL: …?sslmode=require.",
    ),
)
UNREACHABLE = (
    "The server is not running, or not reachable from this machine.",
    f"Check the host and the port in crucible_server, or start the server; example: {urls.EXAMPLE}.",
)


class ExternalLease:
    """The right to use somebody's server; see :class:`pytest_crucible.server.Lease`."""

    kind = "external"
    owned = False

    def __init__(self, admin: Address, version: str) -> None:
        self.admin = admin
        self.notes: list[str] = []
        self.note = f"PostgreSQL {version} at {_where(admin)} as {admin.user}"

    def keep_image(self) -> None:
        """Nothing to do: the server outlives the run."""

    def log(self) -> str:
        """Nothing: its log is not ours to read."""
        return ""

    def release(self) -> None:
        """Nothing to do: it is not ours to stop."""


def lease(url: str) -> ExternalLease:
    """The server at *url*, after a look at whether it can be used.

    Raises:
        UsageError: The URL is not PostgreSQL's.
        ServerError: It cannot be reached, or is too old.
        PermissionMissing: Its role may not create databases.
    """
    import psycopg.rows  # costs 100 ms, which only those who need it pay

    admin = urls.parse(url)
    try:
        words: dict[str, Any] = {**libpq(admin), "connect_timeout": CONNECT_SECONDS}
        with psycopg.connect(**words, row_factory=psycopg.rows.dict_row) as connection:
            (facts,) = connection.execute(FACTS).fetchall()
            # From PGPASSWORD or ~/.pgpass, perhaps: the application's drivers would look in other places.
            admin = replace(admin, password=connection.info.password or None)
    except psycopg.Error as error:
        raise _cannot_connect(admin, error) from without_frames(error)
    return ExternalLease(admin, _check(admin, **facts))


def _check(admin: Address, number: int, version: str, *, may_create: bool, standby: bool) -> str:
    if number < OLDEST * 10000:
        raise ServerError(
            f"The server at {_where(admin)} is PostgreSQL {version}.",
            why=f"Crucible needs {OLDEST} or later.",
            do='Use a newer server, or crucible_server = "embedded".',
        )
    if standby:
        raise ServerError(
            f"The server at {_where(admin)} is a standby, which accepts no writes.",
            why="Perhaps the URL is that of a read replica.",
            do="Name the primary server.",
        )
    if not may_create:
        raise PermissionMissing(
            f"The role {admin.user} may not create databases at {_where(admin)}.",
            why="Every worker process gets a database of its own, and so does every template.",
            do=f'As a superuser: ALTER ROLE "{admin.user}" CREATEDB;',
        )
    return version.split(maxsplit=1)[0]


def _where(admin: Address) -> str:
    return f"{admin.host}:{admin.port}"


def _cannot_connect(admin: Address, error: psycopg.Error) -> CrucibleError:
    said = mask(str(error).strip())
    # libpq gives no SQLSTATE for what happens before there is a session: only words tell.
    why, do = next(((why, do) for sign, why, do in ADVICE if re.search(sign, said)), UNREACHABLE)
    return ServerError(f"Cannot connect to {_where(admin)} as {admin.user}: {said}", why=why, do=do)
