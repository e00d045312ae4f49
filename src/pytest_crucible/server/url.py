"""The parser of PostgreSQL URLs, as SQLAlchemy, libpq and asyncpg write them."""

from __future__ import annotations

import difflib
import getpass
from urllib.parse import SplitResult, parse_qsl, unquote, urlsplit

from ..errors import UsageError
from ..errors.masking import Password
from ..settings.checks import check_postgresql
from .address import Address

TLS = {
    "sslmode", "sslnegotiation", "sslcert", "sslkey", "sslpassword", "sslrootcert", "sslcrl", "sslcrldir", "sslsni",
    "sslcertmode", "ssl_min_protocol_version", "ssl_max_protocol_version", "channel_binding", "gssencmode",
    "require_auth",
}  # fmt: skip
PLACE = {"host", "port", "user", "password", "dbname", "database"}
# Further parameters of libpq and asyncpg: they concern the application's sessions, not the address.
OTHER = {
    "application_name", "client_encoding", "command_timeout", "connect_timeout", "fallback_application_name",
    "hostaddr", "keepalives", "keepalives_count", "keepalives_idle", "keepalives_interval", "krbsrvname",
    "load_balance_hosts", "max_cacheable_statement_size", "options", "passfile", "prepared_statement_cache_size",
    "replication", "server_settings", "service", "statement_cache_size", "target_session_attrs",
    "tcp_user_timeout", "timeout",
}  # fmt: skip
EXAMPLE = 'crucible_server = "postgresql://user:password@host:5432/postgres"'


def is_url(spec: str) -> bool:
    """Return whether *spec* is meant as a URL."""
    return "://" in spec


def parse(url: str) -> Address:
    """Return the address that a URL names; its database is the maintenance database, by default ``postgres``.

    Raises:
        UsageError: If it is not a URL of one PostgreSQL server.
    """
    split = _split(url)
    if split is None:
        raise _unquoted()
    parts, password, query = split
    check_postgresql(parts.scheme, "crucible_server")
    _check_query(query)
    host, port = _place(parts, query)
    return Address(
        host=host,
        port=port,
        user=query.get("user") or unquote(parts.username or "") or getpass.getuser(),
        database=query.get("dbname") or query.get("database") or unquote(parts.path.lstrip("/")) or "postgres",
        password=query.get("password") or password,
        tls=tuple((name, value) for name, value in query.items() if name in TLS),
    )


def _split(url: str) -> tuple[SplitResult, Password | None, dict[str, str]] | None:
    """Return a URL's parts without password and query, its password, and its query; None if it cannot be parsed.

    No error is raised here, since its traceback would show the variables that hold the password.
    """
    try:
        parts = urlsplit(url)
        password, query, _ = parts.password, _query(parts.query), parts.port
    except ValueError:
        return None
    if "@" in parts.path + parts.query or parts.fragment:
        return None
    user, at, host = parts.netloc.rpartition("@")
    bare = parts._replace(netloc=user.partition(":")[0] + at + host, query="")
    return bare, None if password is None else Password(unquote(password)), query


def _unquoted() -> UsageError:
    return UsageError(
        "crucible_server cannot be parsed as a URL.",
        why="A password with one of the characters / ? # [ ] @ : must be quoted, or it is read as a part of the URL.",
        do=f"Write {EXAMPLE}, with the password through urllib.parse.quote(password, safe='').",
    )


def _query(text: str) -> dict[str, str]:
    pairs = parse_qsl(text, keep_blank_values=True)
    query = {name: Password(value) if "password" in name else value for name, value in pairs}
    if "ssl" in query:  # asyncpg's name for it
        mode = query.pop("ssl").lower()
        query.setdefault("sslmode", {"true": "require", "false": "disable"}.get(mode, mode))
    return query


def _check_query(query: dict[str, str]) -> None:
    for name in query:
        if name not in TLS | PLACE | OTHER:
            close = difflib.get_close_matches(name, TLS | PLACE | OTHER, n=1)
            raise UsageError(
                f"crucible_server has the parameter {name!r}, which PostgreSQL's drivers do not know.",
                why="A misspelt parameter would be ignored, and sslmode=require with it.",
                do=f"Did you mean {close[0]!r}?" if close else "Remove it.",
            )


def _place(parts: SplitResult, query: dict[str, str]) -> tuple[str, int]:
    if "," in parts.netloc or "," in query.get("host", ""):
        raise UsageError(
            "crucible_server names several servers.",
            why="Templates and worker databases must all be on one server.",
            do=f"Name the one to use: {EXAMPLE}.",
        )
    try:
        port = int(query.get("port") or parts.port or 5432)
    except ValueError:
        raise _unquoted() from None
    return query.get("host") or unquote(parts.hostname or "") or "localhost", port
