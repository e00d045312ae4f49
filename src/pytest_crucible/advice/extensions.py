"""The members of the extensions, for the hint on a type or function that "does not exist"."""

from __future__ import annotations

import re

from ..server.embedded.missing import missing_extension
from ..settings import Settings

# PostgreSQL's messages for a missing type, operator class, access method or function.
NAMED = re.compile(
    r'(?:type|operator class|access method) "(?:\w+\.)?(?P<name>\w+)" does not exist'
    r"|function (?:\w+\.)?(?P<function>\w+)\(.*\) does not exist"
    r'|has no default operator class for access method "(?P<method>\w+)"'
)
# Types, operator classes, access methods and functions, as a regular expression for each extension.
MEMBERS = {
    "btree_gin": "method gin",
    "btree_gist": "method gist",
    "citext": "citext",
    "fuzzystrmatch": r"levenshtein\w*|soundex|d?metaphone\w*",
    "hstore": "hstore",
    "ltree": "ltree|lquery|ltxtquery|nlevel|subpath",
    "pg_trgm": r"(strict_|word_)*similarity|show_trgm|g[ist]+n?_trgm_ops",
    "pgcrypto": r"crypt|gen_salt|digest|hmac|gen_random_bytes|(de)?armor|pgp_\w+",
    "postgis": r"geometry|geography|st_\w+",
    "tablefunc": r"crosstab\w*|normal_rand|connectby",
    "unaccent": "unaccent",
    "uuid-ossp": r"uuid_(generate_v\w+|nil|ns_\w+)",
    "vector": r"(vector|halfvec|sparsevec)(_\w+_ops)?|hnsw|ivfflat|(cosine|l1|l2)_distance|inner_product",
}


def extension_of(text: str) -> str | None:
    """Return the extension of the object that *text*, an error, says is missing; None if it is unknown."""
    match = NAMED.search(text)
    if match is None:
        return None
    name = match["name"] or match["function"] or f"method {match['method']}"
    return next((extension for extension, names in MEMBERS.items() if re.fullmatch(names, name)), None)


def how_to_have(extension: str, settings: Settings) -> str:
    """Return the advice on how to get *extension*."""
    missing = missing_extension(extension) if settings.server == "embedded" else None
    if missing is not None:
        return f"It belongs to the extension {extension}. {missing}"
    names = ", ".join(f'"{name}"' for name in (*settings.extensions, extension))
    by_migration = " Or create it in a migration, as in production." if settings.alembic or settings.schema else ""
    return f"It belongs to the extension {extension}.\nSet crucible_extensions = [{names}].{by_migration}"
