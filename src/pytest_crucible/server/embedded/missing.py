"""The error for an extension that the embedded build of PostgreSQL lacks."""

from __future__ import annotations

from ...errors import ServerError
from . import binaries
from .start import OWN_EXTENSIONS

ELSEWHERE = (
    'Use a server that has it: crucible_server = "container" (or "container:IMAGE", for example '
    '"container:postgis/postgis:17-3.5"), an external one with crucible_server = "postgresql://user@host/postgres", '
    "or another installation with CRUCIBLE_POSTGRES=/usr/lib/postgresql/18."
)

INSTEAD = {
    "pgcrypto": "gen_random_uuid() and sha256() need no extension: they are part of PostgreSQL itself.",
    "postgis": "PostGIS is a large separate project with its own libraries.",
    "xml2": "XMLTABLE and xpath() are part of PostgreSQL itself, but this build has no libxml.",
}


def missing_extension(name: str) -> ServerError | None:
    """Return the error for an extension that the embedded server cannot create, or None if it can."""
    folder = binaries.find().extensions
    if folder is None or any((place / f"{name}.control").exists() for place in (folder, OWN_EXTENSIONS)):
        return None
    instead = INSTEAD.get(name.partition("_")[0], "")
    return ServerError(
        f"The embedded PostgreSQL lacks the extension {name}.",
        why=f"It is a small build: pgcrypto, PostGIS, ICU collations, SSL, XML and LZ4 are left out. {instead}",
        do=ELSEWHERE,
    )
