"""Hints on statements that PostgreSQL refuses to an ordinary role and allows the superuser of a container image.

They form one table. A row applies to an SQLSTATE, to PostgreSQL's message and, in some rows, to the statement.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import NamedTuple

from ..errors import locations
from ..errors.hints import Refusal, refusals
from ..server.embedded.missing import missing_extension

ORDINARY = (
    "Crucible connects the tests as an ordinary role, as in production, so that missing privileges and row-level"
    " security show: not as the superuser of a container image."
)
EXTERNAL = "The tests connect as the role that crucible_server names, and PostgreSQL does not allow that role more."
MADE = (
    "Crucible has created the database already: every engine of this process leads to a separate database for these"
    " tests, with the schema in it, whichever database the URL names. It is dropped at the end."
)
RESET = "No test needs to empty tables: after each test, Crucible resets the rows and sequences that it changed."
CONSTRAINTS = (
    "To insert rows before those that they refer to, declare the foreign keys DEFERRABLE and run SET CONSTRAINTS ALL"
    " DEFERRED; to empty tables, TRUNCATE a, b CASCADE. " + RESET
)
SUPERUSER = (
    "If the tests need it, use a server of your own and connect to it as a superuser:"
    ' crucible_server = "postgresql://postgres@localhost/postgres".'
)
DENIED = "42501"


class RefusalKind(NamedTuple):
    """One kind of refusal.

    Attributes:
        state: The SQLSTATE.
        text: A regular expression that PostgreSQL's message matches; its groups are filled into *do*.
        do: The advice. ``{where}`` is the line of the project that ran the statement.
        why: The cause, if it is another one than the ordinary role.
        statement: A regular expression that the statement matches.
    """

    state: str
    text: str
    do: str
    why: str | None = None
    statement: str = ""


class Advice(NamedTuple):
    """The reason why PostgreSQL refuses a statement, and the advice on what to write instead."""

    why: str
    do: str


CASES = (
    RefusalKind(
        DENIED, "permission denied to create database", "Remove what makes it{where}, and what drops it.", MADE
    ),
    RefusalKind(DENIED, "must be owner of database", "Remove the statement{where}.", MADE),
    RefusalKind(
        "3D000",
        'database "(?P<name>.+?)" does not exist',
        "Remove what drops it{where}, and what makes it.",
        MADE,
        r"\s*DROP\s+DATABASE\b",
    ),
    RefusalKind(
        "3D000",
        'database "(?P<name>.+?)" does not exist',
        "Get the name by SELECT current_database(), or remove the statement{where}.",
        "Crucible gives every process a database with its own name.",
        r"\s*(ALTER|GRANT|REVOKE|COMMENT)\b",
    ),
    RefusalKind(DENIED, "session_replication_role", CONSTRAINTS),
    RefusalKind(
        DENIED, "is a system trigger", "DISABLE TRIGGER with the name of a trigger of yours is allowed. " + CONSTRAINTS
    ),
    RefusalKind(
        DENIED,
        "permission denied to (create|drop|alter) role",
        "Name roles in the DDL that makes the schema (GRANT … TO, CREATE POLICY … TO) or in the URL of an engine:"
        " Crucible creates them. Migrations may create roles themselves. Roles belong to the server, which other runs"
        " share.",
    ),
    RefusalKind(
        DENIED,
        "permission denied to (terminate process|cancel query)",
        "One of Crucible's own connections to this database is among them: add AND usename = current_user. Before DDL,"
        " engine.dispose() closes the connections of this process.",
    ),
    RefusalKind(
        DENIED,
        'permission denied to create extension "(?P<name>.+?)"',
        'Name it in the configuration, crucible_extensions = ["{name}"]: Crucible creates it as an administrator.',
    ),
    RefusalKind(
        DENIED,
        'permission denied to set parameter "(?P<name>log_\\w+)"',
        "To see the statements of a test, use the fixture query_log or create_engine(…, echo=True).",
    ),
    RefusalKind(
        DENIED,
        'permission denied to set parameter "(?P<name>.+?)"',
        "Remove the line{where}: all tests share the server. " + SUPERUSER,
    ),
    RefusalKind(
        DENIED,
        "permission denied to COPY",
        "Read the file in the tests and use COPY … FROM STDIN: cursor.copy() of psycopg, copy_expert() of psycopg2,"
        " copy_to_table() of asyncpg.",
    ),
    RefusalKind(
        DENIED,
        r"[Ss]uperuser|SUPERUSER|REPLICATION attribute|permission denied for (function|table|language) (pg_|c$)"
        r"|permission denied to (execute|use replication|create \w+ \"|create subscription|set session|set role)"
        r"|(function (lo_import|lo_export))|access to library",
        SUPERUSER,
    ),
)


class SuperuserHints:
    """Hints on statements that PostgreSQL refuses to the tests' role."""

    def __init__(self, server: str) -> None:
        self._server = server

    def explain(self, error: BaseException) -> Iterator[str]:
        """Yield the hints on *error*."""
        for refusal in refusals(error):
            advice = self.advice(refusal)
            if advice is not None:
                yield "\n".join(advice)

    def advice(self, refusal: Refusal) -> Advice | None:
        """Return the advice on *refusal*, or None."""
        missing = re.search(r'extension "(.+?)" is not available', refusal.text)
        if missing:
            return self._not_installed(missing[1])
        for case in CASES:
            match = re.search(case.text, refusal.text) if case.state == refusal.state else None
            if match and re.match(case.statement, refusal.statement or "", re.IGNORECASE):
                location = locations.of_error(refusal.error)
                fields = {"where": f" ({location})" if location else "", **match.groupdict()}
                return Advice(case.why or self._role(), case.do.format(**fields))
        return None

    def _role(self) -> str:
        return EXTERNAL if "://" in self._server else ORDINARY

    def _not_installed(self, extension: str) -> Advice:
        missing = missing_extension(extension) if self._server == "embedded" else None
        if missing is not None:
            return Advice(f"{missing.found} {missing.why}", missing.do)
        if "://" in self._server:
            return Advice(f"The server lacks {extension}.", "Ask an administrator to install it there.")
        return Advice(
            f"The container's image lacks {extension}.",
            'Name an image that has it, for example crucible_server = "container:postgis/postgis:17-3.5".',
        )
