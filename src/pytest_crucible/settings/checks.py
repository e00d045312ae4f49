"""Checks of the strings that options take.

Each check gets the user's string and the place where it stands. It returns the value to use, or raises a `UsageError`
that says what to write.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Sequence

from ..errors import UsageError
from ..errors.masking import Masked, mask
from .url_variables import SCHEME, parsed

ISOLATIONS = ("reset", "rollback", "clone")
LEAKS = ("harmful", "all")
EXPIRIES = ("auto", "application", "always", "never")
OTHER_DIALECTS = ("warn", "error", "allow")
CONTAINERS = ("container", "container-per-worker")


def split_path(dotted: str, place: str) -> tuple[str, str]:
    """Split ``"app.main:app"`` into module and attribute."""
    module, colon, attribute = dotted.partition(":")
    if colon and _is_dotted(module) and _is_dotted(attribute):
        return module, attribute
    raise UsageError(
        f"{place}: {mask(dotted)!r} is not a dotted path.",
        why="A dotted path names a module and, after a colon, an attribute of it: package.module:attribute.",
        do=f"Write {_likely_path(dotted)!r}.",
    )


def _is_dotted(text: str) -> bool:
    return all(part.isidentifier() for part in text.split("."))


def _likely_path(dotted: str) -> str:
    """Return the path that is probably meant by something like ``app.main.app`` or ``app/main.py:app``."""
    text = re.sub(r"\.py(?=[:.]|$)", "", dotted.strip("\"'[] ")).replace("/", ".").replace("\\", ".").strip(".")
    module, colon, attribute = text.partition(":")
    if not colon:
        module, _, attribute = text.rpartition(".")
    likely = f"{module}:{attribute}"
    return likely if _is_dotted(module) and _is_dotted(attribute) else "app.main:app"


def dotted(text: str, place: str) -> str:
    """Return *text* if it is a dotted path."""
    split_path(text, place)
    return text


def _one_of(choices: Sequence[str], wrong: str, why: str) -> Callable[[str, str], str]:
    """Return the check of an option that takes one of *choices*, the first by default.

    Args:
        choices: Its values.
        wrong: The error's text, with the value for ``{}``.
        why: The meaning of the values.
    """

    def check(text: str, place: str) -> str:
        if text in choices:
            return text
        do = _closest(text, choices, default=f'Leave it out for "{choices[0]}".')
        raise UsageError(f"{place}: {wrong.format(repr(text))}", why=why, do=do)

    return check


isolation = _one_of(
    ISOLATIONS,
    "there is no isolation {}.",
    why="The isolations are reset (real commits, then the database is reset to its baseline), rollback (one outer"
    " transaction) and clone (a database of the test's own).",
)
leaks = _one_of(
    LEAKS,
    "{} does not say which leaks are reported.",
    why='"harmful" reports transactions that wrote, are aborted, or hold locks; "all" reports open reads as well.',
)
expiry = _one_of(
    EXPIRIES,
    "{} does not say which sessions expire what they commit.",
    why='"auto" follows the application\'s sessions for sync_session and never expires for db_session;'
    ' "application" follows them for both; "always" and "never" apply to both, too.',
)
other_dialects = _one_of(
    OTHER_DIALECTS,
    "{} does not say what to do about an engine whose dialect is not PostgreSQL's.",
    why="Crucible can warn of it (warn), raise an error where it connects (error), or accept it (allow).",
)


def server(text: str, place: str) -> str:
    """Return a kind of server, or the URL of one, normalised to ``postgresql://``."""
    scheme, separator, rest = text.partition("://")
    if separator:
        check_postgresql(scheme, place)
        return Masked(f"postgresql://{rest}")
    kind = text.partition(":")[0]
    if text == "embedded" or (kind in CONTAINERS and not text.endswith(":")):
        return text
    raise UsageError(
        f"{place}: there is no server {beginning(text)!r}.",
        why="A server is embedded (started by Crucible), container or container-per-worker (each also with :IMAGE), or "
        "the URL of one that runs.",
        do=_closest(
            text,
            ("embedded", *CONTAINERS),
            default='Write "embedded", "container", or "postgresql://user:password@host:5432/postgres".',
        ),
    )


def beginning(server: str) -> str:
    """Return as much of the wrong value *server* as certainly holds no password."""
    return server if re.fullmatch(r"[\w.:+-]*", server) else f"{re.split(r'[^a-zA-Z+-]', server)[0]}…"


def check_postgresql(scheme: str, place: str) -> None:
    """Refuse the URL of another database."""
    if re.fullmatch(SCHEME, scheme):
        return
    raise UsageError(
        f"{place}: '{beginning(scheme)}://…' is not a PostgreSQL URL.",
        why="Crucible tests against PostgreSQL, and never against SQLite or another database as a substitute: JSONB "
        "operators, arrays, row locks, savepoints and the moment at which constraints are checked differ, so that "
        "tests pass there and the application fails in production.",
        do='Leave the option out: "embedded" starts a real PostgreSQL and needs nothing installed. Or write the URL '
        'of a server: "postgresql://user:password@host:5432/postgres".',
    )


def is_alembic(path: str) -> bool:
    """Return whether *path* names a configuration of Alembic, as ``crucible_alembic`` does, and not a metadata."""
    return path.partition(":")[0].endswith((".ini", ".toml"))


def is_sql(path: str) -> bool:
    """Return whether *path* names SQL scripts, as ``crucible_schema`` does."""
    return not is_alembic(path) and (path.endswith(".sql") or "*" in path or ("/" in path and ":" not in path))


def is_path_of_callable(entry: str) -> bool:
    """Return whether *entry* of ``crucible_schema`` is a dotted path, and not a file or a glob."""
    module, colon, attribute = entry.partition(":")
    return bool(colon) and _is_dotted(module) and _is_dotted(attribute)


def schema(text: str, place: str) -> str:
    """Return an entry of ``crucible_schema``: a file, a folder, a glob, or a dotted path."""
    if is_alembic(text):
        raise UsageError(
            f"{place}: {text!r} is a configuration of Alembic.",
            why="An entry is an SQL script, a folder or a glob of scripts, or the dotted path of a callable.",
            do=f'Write crucible_alembic = "{text}".',
        )
    is_misspelt = ":" in text and not is_path_of_callable(text)
    return dotted(text, place) if is_misspelt else word(text, place)


def database(text: str, place: str) -> str:
    """Return an entry of the form ``name=package.module:attribute``, ``name=alembic.ini`` or ``name=schema.sql``."""
    name, equals, path = text.partition("=")
    if not equals or not name.strip():
        raise UsageError(
            f"{place}: {mask(text)!r} does not say which database has which metadata.",
            why="An entry is the database's name as in the application's URL, an equals sign, and a dotted path.",
            do='Write "analytics=app.stats:Base" where the application connects to "postgresql://…/analytics".',
        )
    path = path.strip()
    return f"{name.strip()}={path if is_alembic(path) or is_sql(path) else dotted(path, place)}"


def url_env(text: str, place: str) -> str:
    """Return an entry ``VARIABLE=postgresql+driver``, which may go on with ``@host`` and ``/database``."""
    if parsed(text):
        return text
    name = text.partition("=")[0]
    raise UsageError(
        f"{place}: {mask(text)!r} does not say which variable gets which kind of URL.",
        why="An entry is the name of an environment variable, an equals sign, and the beginning of its URL. An @ and a"
        " plain host name may follow, without a port, and a slash and a further database's name.",
        do=f'Write "{name if name.isidentifier() else "DATABASE_URL"}=postgresql+asyncpg", or "=postgresql" for a '
        "URL that libpq, asyncpg and psycopg read. Where a type such as PostgresDsn wants a host: "
        '"=postgresql+asyncpg@localhost", "=postgresql+asyncpg@localhost/analytics".',
    )


def word(text: str, place: str) -> str:
    """Return *text* unless it is blank."""
    if text.strip():
        return text
    raise UsageError(f"{place}: an entry is empty.", do="Remove it.")


def _closest(text: str, choices: Iterable[str], *, default: str) -> str:
    from difflib import get_close_matches  # imported only here: correct settings never need it

    close = get_close_matches(text.lower(), list(choices), n=1)
    return f'Did you mean "{close[0]}"?' if close else default
