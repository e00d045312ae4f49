"""The mark by which Crucible knows the databases that it made.

A database is Crucible's by its mark, never by its name alone. The mark is its CONNECTION LIMIT, which CREATE DATABASE
sets together with the database itself: a process that is killed leaves no database without it. Renaming keeps it, a
copy that another client makes does not inherit it, and as a limit it restricts nothing. The comment on the database
tells users which run used it last.
"""

from __future__ import annotations

from datetime import datetime
from typing import NamedTuple

# "cruc" in ASCII: more connections than any server has.
MARK = 0x63727563
SIGNED = "pytest-crucible: "

# Of a comment only the beginning: the remark of a template, below its first line, may be long, and templates many.
# An interrupted DROP DATABASE leaves the limit -2, and a database that can be dropped but not used.
ENTRIES = """
SELECT datname, datistemplate,
       datconnlimit = %(mark)s OR (datconnlimit = -2 AND starts_with(coalesce(description, ''), %(signed)s)),
       coalesce(left(description, 400), '')
FROM pg_database LEFT JOIN pg_shdescription ON objoid = oid AND classoid = 'pg_database'::regclass
WHERE starts_with(datname::text, %(prefix)s)
ORDER BY datname
"""
REMARKS = """
SELECT datname, substr(comment, strpos(comment, E'\\n') + 1)
FROM pg_database, coalesce(shobj_description(oid, 'pg_database'), '') AS comment
WHERE datname = ANY (%s) AND strpos(comment, E'\\n') > 0
"""


class DatabaseEntry(NamedTuple):
    """One database of the server; of its comment only the beginning."""

    name: str
    is_template: bool
    is_marked: bool
    comment: str

    @property
    def used(self) -> datetime | None:
        """The time of its last use according to its comment, if that has one."""
        try:
            return datetime.fromisoformat(self.comment.partition("\n")[0].rpartition(", ")[2])
        except ValueError:
            return None

    def drop_by_hand(self) -> str:
        """Return the statements that drop it, for a database that Crucible does not drop."""
        before = f'ALTER DATABASE "{self.name}" IS_TEMPLATE false; ' if self.is_template else ""
        return f'{before}DROP DATABASE "{self.name}";'


def parameters(prefix: str) -> dict[str, object]:
    """Return the parameters of `ENTRIES` for databases whose names begin with *prefix*."""
    return {"mark": MARK, "signed": SIGNED, "prefix": prefix}


def signature(user: str, machine: str, run: str, now: datetime) -> str:
    """Return the comment on a database that *user* uses *now*."""
    origin = f"{user}@{machine}" + (f", run {run}" if run else "")
    return f"{SIGNED}used by {origin}, {now.isoformat(timespec='milliseconds')}"
