"""The error that ended psql: PostgreSQL's message, the statement, and the line of the script."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial

import psycopg

from .scripts import Script

# The end of the name of a file that ends the session of the script before it.
END_FILE = ".end.sql"
# With VERBOSITY=verbose and ECHO=errors: psql:FILE:LINE: ERROR:  SQLSTATE: message, further lines, STATEMENT: …
# An error of psql's own has neither severity nor SQLSTATE. Notices and warnings look like errors, and come before.
MESSAGE = re.compile(
    r"^psql:(?P<file>[\w.]+):(?P<line>\d+): (?!STATEMENT: )(?:\w+:  (?P<state>[0-9A-Z]{5}): |(?:error: )?)",
    re.MULTILINE,
)
STATEMENT = re.compile(r"^psql:[\w.]+:\d+: STATEMENT:  ", re.MULTILINE)
POSITION = re.compile(r"^LINE (\d+): (.*\n)( *\^)", re.MULTILINE)
DATA = re.compile(r"^CONTEXT:  COPY [^\n]+?, line (\d+)", re.MULTILINE)
LOCATION = re.compile(r"^LOCATION:  .*\n?", re.MULTILINE)


@dataclass(frozen=True)
class PsqlError:
    """An error that ended psql.

    Attributes:
        text: PostgreSQL's message, or psql's own.
        script: The script; None if psql did not come as far as to run one.
        line: The line of the script, from 1.
        error: PostgreSQL's error, as psycopg would raise it; None for an error of psql's own.
        at_end: Whether the script itself ran, and left a transaction open.
    """

    text: str
    script: Script | None = None
    line: int = 0
    error: psycopg.Error | None = None
    at_end: bool = False


def error_in(output: str, files: Mapping[str, Script]) -> PsqlError:
    """Return the error in the *output* of psql on stderr, which ran *files*."""
    output = output.replace("\r\n", "\n")
    messages = list(MESSAGE.finditer(output))
    if not messages:
        return PsqlError(output.strip())
    last = messages[-1]
    text = output[last.end() :]
    if last["state"]:
        return _of_server(last, text, files)
    return PsqlError(text.strip(), files[last["file"]], int(last["line"]))


def _of_server(match: re.Match[str], rest: str, files: Mapping[str, Script]) -> PsqlError:
    message, *echoed = STATEMENT.split(rest, maxsplit=1)
    statement = echoed[0].removesuffix("\n") if echoed else ""
    script = files[match["file"]]
    line = _line_of(script.decoded(), int(match["line"]), statement, message)
    shown = POSITION.sub(partial(_in_script, line), LOCATION.sub("", message)).strip()
    error = _psycopgs(match["state"], shown, statement)
    return PsqlError(shown, script, line, error, at_end=match["file"].endswith(END_FILE))


def _line_of(text: str, end: int, statement: str, message: str) -> int:
    """Return the line of the error: psql names the one in which the statement, or its data, ends."""
    before = "\n".join(text.split("\n")[:end])
    begin = before.rfind(statement)
    first = before.count("\n", 0, begin) + 1 if begin >= 0 else end - statement.count("\n")
    if data := DATA.search(message):
        return first + statement.count("\n") + int(data[1])
    position = POSITION.search(message)
    return first + int(position[1]) - 1 if position else first


def _in_script(line: int, position: re.Match[str]) -> str:
    """Return PostgreSQL's lines on the *position* of an error with the number of the script's line."""
    shift = " " * (len(str(line)) - len(position[1]))
    return f"LINE {line}: {position[2]}{shift}{position[3]}"


def _psycopgs(state: str, text: str, statement: str) -> psycopg.Error:
    try:
        kind: type[psycopg.Error] = psycopg.errors.lookup(state)
    except KeyError:
        kind = psycopg.DatabaseError
    error = kind(text)
    error.sqlstate = state
    # Where SQLAlchemy's errors have it, and the advice on errors reads it.
    error.statement = statement  # type: ignore[attr-defined]
    return error
