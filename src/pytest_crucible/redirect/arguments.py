"""Connect arguments, rewritten for another server, database and role; everything else stays as it was.

Pure functions: `requested` returns the role and database that the application asks for, `rewritten` the arguments that
the driver gets instead.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping, Sequence
from functools import cache
from importlib import import_module
from inspect import signature
from typing import TYPE_CHECKING, Any, NamedTuple
from urllib.parse import parse_qsl, unquote, urlencode, urlsplit

from ..errors.masking import Masked
from ..server.libpq_environment import neutral_keywords

if TYPE_CHECKING:
    from ..server.address import Address

Kwargs = dict[str, Any]
Parse = Callable[[str], Mapping[str, Any]]

DRIVERS = ("asyncpg", "psycopg", "psycopg2")


def _names(text: str) -> frozenset[str]:
    return frozenset(text.split())


# The arguments of asyncpg.connect() that choose server, database and role. `dsn` is taken apart before.
_ASYNCPG_WHERE = _names(
    "dsn host port user password passfile service servicefile database ssl direct_tls target_session_attrs "
    "krbsrvname gsslib"
)
# The parameters that asyncpg reads from a dsn's query; anything else in it is a server setting and stays.
_ASYNCPG_QUERY = _names(
    "host port dbname database user password passfile sslmode sslcert sslkey sslrootcert sslnegotiation sslcrl "
    "sslpassword ssl_min_protocol_version ssl_max_protocol_version target_session_attrs krbsrvname gsslib service"
)
_ASYNCPG_TLS = frozenset(name for name in _ASYNCPG_QUERY if name.startswith("ssl"))
_ASYNCPG_TLS_FILES = ("PGSSLCERT", "PGSSLKEY", "PGSSLROOTCERT", "PGSSLCRL")

# Arguments that override the other variables; the file has no services, so neither PGSERVICE nor PGSERVICEFILE counts.
_ASYNCPG_NEUTRAL: Kwargs = {
    "target_session_attrs": "any",
    "krbsrvname": "postgres",
    "gsslib": "gssapi",
    "servicefile": os.devnull,
}

# libpq's parameters that choose server, database and role (PostgreSQL manual, 32.1.2). An older libpq need not know
# them: they are only removed. `replication`, `options`, timeouts and keepalives belong to the application.
_LIBPQ_WHERE = _names(
    "host hostaddr port dbname database user password passfile service servicefile target_session_attrs "
    "load_balance_hosts channel_binding require_auth requirepeer krbsrvname gsslib gssencmode gssdelegation "
    "min_protocol_version max_protocol_version scram_client_key scram_server_key requiressl oauth_issuer "
    "oauth_client_id oauth_client_secret oauth_scope"
)


class RequestedTarget(NamedTuple):
    """The role and the database that the application asks for."""

    user: str | None
    database: str | None


def requested(
    driver: str, cargs: Sequence[Any], cparams: Mapping[str, Any], environ: Mapping[str, str]
) -> RequestedTarget:
    """Return what the application asks for, with the driver's precedence: arguments, dsn, environment."""
    kwargs = _asyncpg_kwargs(cargs, cparams) if driver == "asyncpg" else _libpq_kwargs(driver, cargs, cparams)
    user = kwargs.get("user") or environ.get("PGUSER")
    database = kwargs.get("dbname") or kwargs.get("database") or environ.get("PGDATABASE")
    return RequestedTarget(_text(user), _text(database))


def rewritten(
    driver: str, cargs: Sequence[Any], cparams: Mapping[str, Any], address: Address, environ: Mapping[str, str]
) -> Kwargs:
    """Return keyword arguments for *driver* that lead to *address*; *cargs* and *cparams* are not changed."""
    if driver == "asyncpg":
        return _rewritten_asyncpg(cargs, cparams, address, environ)
    return _rewritten_libpq(driver, cargs, cparams, address, environ)


def _rewritten_asyncpg(
    cargs: Sequence[Any], cparams: Mapping[str, Any], address: Address, environ: Mapping[str, str]
) -> Kwargs:
    kept = {name: value for name, value in cparams.items() if name not in _ASYNCPG_WHERE}
    settings = {name: value for name, value in _dsn_query(cargs, cparams) if name not in _ASYNCPG_QUERY}
    if settings:
        kept["server_settings"] = settings | dict(kept.get("server_settings") or {})
    destination = {
        "host": address.host,
        "port": address.port,
        "user": address.user,
        # Not None: asyncpg would then read PGPASSWORD and ~/.pgpass.
        "password": address.password or "",
        "database": address.database,
        **_asyncpg_tls(address, environ),
    }
    destination["direct_tls"] = ("sslnegotiation", "direct") in address.tls
    return kept | destination | {name: value for name, value in _ASYNCPG_NEUTRAL.items() if _knows("asyncpg", name)}


def _asyncpg_tls(address: Address, environ: Mapping[str, str]) -> Kwargs:
    if address.tls:
        # asyncpg takes certificates from a dsn only.
        query = [(name, value) for name, value in address.tls if name in _ASYNCPG_TLS]
        return {"dsn": Masked("postgresql://?" + urlencode(query))}
    plain = address.is_socket or any(name in environ for name in _ASYNCPG_TLS_FILES)
    return {"ssl": False if plain else "prefer"}


def _rewritten_libpq(
    driver: str, cargs: Sequence[Any], cparams: Mapping[str, Any], address: Address, environ: Mapping[str, str]
) -> Kwargs:
    kwargs = _libpq_kwargs(driver, cargs, cparams)
    kept = {name: value for name, value in kwargs.items() if not _is_libpq_where(name)}
    neutral = neutral_keywords(environ, known=lambda name: _knows(driver, name))
    # An empty password, not none: without one, libpq would read PGPASSWORD.
    return kept | neutral | {"password": ""} | address.libpq()


def _is_libpq_where(name: str) -> bool:
    return name in _LIBPQ_WHERE or name.startswith("ssl")


def _asyncpg_kwargs(cargs: Sequence[Any], cparams: Mapping[str, Any]) -> Kwargs:
    dsn = _dsn(cargs, cparams)
    parts = urlsplit(dsn)
    kwargs: Kwargs = dict(parse_qsl(parts.query))
    if parts.username:
        kwargs["user"] = unquote(parts.username)
    if parts.path.strip("/"):
        kwargs["database"] = unquote(parts.path.lstrip("/"))
    return kwargs | {name: value for name, value in cparams.items() if value is not None}


def _dsn(cargs: Sequence[Any], cparams: Mapping[str, Any]) -> str:
    return str(cparams.get("dsn") or (cargs[0] if cargs else "") or "")


def _dsn_query(cargs: Sequence[Any], cparams: Mapping[str, Any]) -> list[tuple[str, str]]:
    return parse_qsl(urlsplit(_dsn(cargs, cparams)).query)


def _libpq_kwargs(driver: str, cargs: Sequence[Any], cparams: Mapping[str, Any]) -> Kwargs:
    """Return positional and keyword arguments as one mapping; libpq itself parses the connection string."""
    kwargs = dict(cparams)
    strings = [kwargs.pop(name, None) for name in ("dsn", "conninfo")]
    strings += cargs[:1]
    parsed: Kwargs = {}
    for string in strings:
        if string:
            parsed |= _parser(driver)(str(string))
    return parsed | kwargs


def _parser(driver: str) -> Parse:
    # By name: only the driver that the application has is imported.
    if driver == "psycopg2":
        parse: Parse = import_module("psycopg2.extensions").parse_dsn
    else:
        parse = import_module("psycopg.conninfo").conninfo_to_dict
    return parse


@cache
def _knows(driver: str, name: str) -> bool:
    """Return whether this version of *driver*, or the libpq that it is linked with, knows the parameter *name*."""
    if driver == "asyncpg":
        return name in signature(import_module("asyncpg").connect).parameters
    try:
        _parser(driver)(f"{name}=''")
    except Exception:  # noqa: BLE001 - each driver has its own class for a syntax error
        return False
    return True


def _text(value: object) -> str | None:
    return None if value is None else str(value)
