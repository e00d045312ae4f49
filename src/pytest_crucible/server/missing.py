"""What the embedded build of PostgreSQL lacks, and the way out."""

from __future__ import annotations

from ..errors import ServerError
from . import binaries
from .start import OURS

ELSEWHERE = (
    'Use a server that has it: crucible_server = "container" (or "container:IMAGE", for example '
    '"container:postgis/postgis:17-3.5"), an external one with crucible_server = "postgresql://user@host/postgres", '
    "or another installation with CRUCIBLE_POSTGRES=/usr/lib/postgresql/18."
)

INSTEAD = {
    "pgcrypto": "gen_random_uuid() and sha256() need no extension: they are part of PostgreSQL itself.",
    "postgis": "PostGIS is a large project of its own, with libraries of its own.",
    "icu": 'Collations of the "builtin" and "libc" providers work: C, C.UTF-8 (pg_c_utf8), ucs_basic.',
    "ssl": "The server listens on a unix socket of this user's only, where there is nobody to encrypt for.",
    "xml2": "XMLTABLE and xpath() are part of PostgreSQL itself, but this build has no libxml.",
    "lz4": "pglz, the default, compresses as well; it is slower.",
}


def missing_extension(name: str) -> ServerError | None:
    """The error for an extension that the embedded server cannot create, or None if it can."""
    folder = binaries.find().extensions
    if folder is None or any((place / f"{name}.control").exists() for place in (folder, OURS)):
        return None
    return _lacks(f"the extension {name}", INSTEAD.get(name.partition("_")[0], ""))


def missing_feature(name: str) -> ServerError:
    """The error for something else that the embedded build lacks: ``icu``, ``ssl`` and the like."""
    return _lacks(name.upper() if len(name) < 5 else name, INSTEAD.get(name.lower(), ""))


def _lacks(what: str, instead: str) -> ServerError:
    return ServerError(
        f"The embedded PostgreSQL has not got {what}.",
        why="It is a small build: pgcrypto, PostGIS, ICU collations, SSL, XML and LZ4 are left out. " + instead,
        do=ELSEWHERE,
    )
