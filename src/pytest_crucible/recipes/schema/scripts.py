"""SQL scripts, with the text that psql gets.

Lines that psql shall not run are emptied, never removed: line numbers in errors are those of the project's file.
"""

from __future__ import annotations

import codecs
import re
from dataclasses import dataclass
from pathlib import Path

from ...errors import UsageError

# The marks of dbmate, goose and sql-migrate for the halves of a migration.
HALF = re.compile(rb"--\s*(?:migrate:|\+(?:goose|migrate)\s+)(up|down)\b", re.IGNORECASE)
RESTRICT = re.compile(rb"\\restrict\s+(\S+)\s*")
DUMP = b"-- PostgreSQL database dump"
OWNER = re.compile(rb"ALTER [A-Z ]+ .+ OWNER TO .+;\s*")
OTHER_DATABASE = re.compile(rb"\\c(?:onnect)?\b|(?:CREATE|DROP)\s+DATABASE\b", re.IGNORECASE)
DATA = re.compile(rb"COPY\b.*\bFROM\s+STDIN\b", re.IGNORECASE)
END_OF_DATA = rb"\."
COMMENT = re.compile(rb"/\*.*?\*/", re.DOTALL)


@dataclass(frozen=True)
class Script:
    """An SQL script.

    Attributes:
        name: Its name in messages.
        text: The text that psql gets.
        is_dump: Whether pg_dump wrote it.
    """

    name: str
    text: bytes
    is_dump: bool = False

    def line(self, number: int) -> str:
        """Return the line of this *number*, from 1, or "" if there is none."""
        lines = self.decoded().split("\n")
        return lines[number - 1].strip() if 0 < number <= len(lines) else ""

    def decoded(self) -> str:
        """Return the text with the line ends of Unix."""
        return self.text.decode("utf-8", "replace").replace("\r\n", "\n")


def script(file: Path, name: str) -> Script:
    """Return the script in *file*.

    Of a migration that has both halves, only the first is left. Of a dump of pg_dump's, the statements that give
    objects to another owner are left out, as ``pg_restore --no-owner`` does: the role that owns the schema owns them.

    Args:
        file: The file.
        name: Its name in messages.

    Raises:
        UsageError: If it is no SQL script, or creates or enters another database.
    """
    text = file.read_bytes()
    _refuse_formats(text, name)
    text = text.removeprefix(codecs.BOM_UTF8)
    _refuse_other_databases(text, name)
    lines = _without_restrictions(_without_undoing(text.split(b"\n")))
    if DUMP in text:
        lines = [b"" if OWNER.fullmatch(line) else line for line in lines]
    return Script(name, b"\n".join(lines), DUMP in text)


def _without_undoing(lines: list[bytes]) -> list[bytes]:
    undoing = False
    result = []
    for line in lines:
        if mark := HALF.match(line):
            undoing = mark[1].lower() == b"down"
        result.append(b"" if undoing else line)
    return result


def _without_restrictions(lines: list[bytes]) -> list[bytes]:
    r"""Return *lines* without pg_dump's ``\restrict`` and its end: psql is restricted for the whole script."""
    keys = {match[1] for line in lines if (match := RESTRICT.fullmatch(line))}
    own = {b"\\%s %s" % (word, key) for key in keys for word in (b"restrict", b"unrestrict")}
    return [b"" if line.strip() in own else line for line in lines]


def _refuse_formats(text: bytes, name: str) -> None:
    if text.startswith(b"PGDMP"):
        raise UsageError(
            f"crucible_schema: {name} is an archive of pg_dump, not an SQL script.",
            why="psql runs SQL scripts; an archive is restored by pg_restore.",
            do=f"Write it as SQL: pg_dump --schema-only --no-owner --no-privileges …, or pg_restore --file=- {name}.",
        )
    if text.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
        raise UsageError(
            f"crucible_schema: {name} is encoded in UTF-16.",
            why="PostgreSQL reads no UTF-16; PowerShell writes it where output is redirected to a file.",
            do="Save it as UTF-8; or let pg_dump write the file itself: --file.",
        )
    if name.endswith(".py"):
        raise UsageError(
            f"crucible_schema: {name} is a Python file, and an entry that is a file is run as SQL.",
            do=f'Name its callable: crucible_schema = "{name.removesuffix(".py").replace("/", ".")}:build".',
        )


def _refuse_other_databases(text: bytes, name: str) -> None:
    """Refuse a script that creates, drops or enters another database, before any of it runs."""
    plain = COMMENT.sub(lambda match: b"\n" * match[0].count(b"\n"), text)
    is_data = False
    for number, line in enumerate(plain.split(b"\n"), 1):
        is_data = bool(DATA.match(line)) or (is_data and line.rstrip() != END_OF_DATA)
        if OTHER_DATABASE.match(line) and not is_data:
            raise UsageError(
                f"crucible_schema: {name}, line {number}, creates, drops or enters a database:"
                f" {line.decode('utf-8', 'replace').strip()}",
                why="Crucible has created the database already, and the script must stay in it. pg_dump writes such"
                " lines with --create, pg_dumpall always.",
                do="Remove the line; or write the dump without --create.",
            )
