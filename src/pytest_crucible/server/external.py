"""An external server: one that Crucible does not run, named by its URL."""

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
        "All its connections are in use: each worker process needs one, and one for each engine of the application.",
        "Run fewer workers (pytest -n), or raise max_connections on the server.",
    ),
    (
        r"database .* does not exist",
        "The URL must name an existing database: Crucible creates others from there, and does not change it.",
        "End the URL with /postgres.",
    ),
    (
        r"authentication failed|no password|role .* does not exist|not permitted to log in|no pg_hba.conf entry",
        "The server does not accept this role or its password.",
        "Check the user and password in crucible_server.",
    ),
    (
        r"SSL|certificate",
        "The server and the URL disagree about TLS.",
        "Set sslmode and sslrootcert in the URL: …?sslmode=require.",
    ),
)
UNREACHABLE = (
    "The server is not running, or not reachable from this machine.",
    f"Check the host and the port in crucible_server, or start the server; example: {urls.EXAMPLE}.",
)


class ExternalLease:
    """A share in an external server; see :class:`pytest_crucible.server.Lease`."""

    kind = "external"
    owned = False

    def __init__(self, admin: Address, version: str) -> None:
        self.admin = admin
        self.notes: list[str] = []
        self.note = f"PostgreSQL {version} at {_where(admin)} as {admin.user}"

    def room(self) -> None:
        """Return None: the server's disk is not seen from here."""

    def keep_image(self) -> None:
        """Do nothing: the server outlives the run."""

    def release(self) -> None:
        """Do nothing: Crucible does not stop the server."""


def lease(url: str) -> ExternalLease:
    """Return a share in the server at *url*, after a check that it can be used.

    Raises:
        UsageError: If it is no URL of PostgreSQL.
        ServerError: If the server cannot be reached, or is too old.
        PermissionMissing: If the role may not create databases.
    """
    import psycopg  # takes 100 ms, so only external servers import it; before its part, see control/driver
    import psycopg.rows

    admin = urls.parse(url)
    try:
        kwargs: dict[str, Any] = {**libpq(admin), "connect_timeout": CONNECT_SECONDS}
        with psycopg.connect(**kwargs, autocommit=True, row_factory=psycopg.rows.dict_row) as connection:
            (facts,) = connection.execute(FACTS).fetchall()
            # It may come from PGPASSWORD or ~/.pgpass, which the application's drivers may not read.
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
            why="Perhaps the URL names a read replica.",
            do="Name the primary server.",
        )
    if not may_create:
        raise PermissionMissing(
            f"The role {admin.user} may not create databases at {_where(admin)}.",
            why="Crucible creates a database for every worker process and for every template.",
            do=f'As a superuser: ALTER ROLE "{admin.user}" CREATEDB;',
        )
    return version.split(maxsplit=1)[0]


def _where(admin: Address) -> str:
    return f"{admin.host}:{admin.port}"


def _cannot_connect(admin: Address, error: psycopg.Error) -> CrucibleError:
    message = mask(str(error).strip())
    # libpq gives no SQLSTATE for errors before there is a session: only the message tells.
    why, do = next(((why, do) for sign, why, do in ADVICE if re.search(sign, message)), UNREACHABLE)
    return ServerError(f"Cannot connect to {_where(admin)} as {admin.user}: {message}", why=why, do=do)
