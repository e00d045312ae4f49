"""Connect arguments, rewritten: where to and as whom change, everything else stays."""

from __future__ import annotations

import os
from inspect import signature

import asyncpg
import pytest

from pytest_crucible.redirect.arguments import requested, rewritten
from pytest_crucible.server import Address

HERE = Address("/run/here", 5433, "owner", "worker")
TCP = Address("db", 5432, "owner", "worker", "pw", (("sslmode", "verify-full"), ("sslrootcert", "/ca")))
WHERE = {"host": "/run/here", "port": "5433", "user": "owner", "dbname": "worker", "password": ""}
DRIVERS = ["psycopg", "psycopg2"]
HAS_SERVICES = "servicefile" in signature(asyncpg.connect).parameters


@pytest.mark.parametrize("driver", DRIVERS)
def test_where_and_whom_are_replaced(driver: str) -> None:
    """Whatever libpq reads to find a server, and to log in, gives way."""
    words = {
        "host": "a,b", "hostaddr": "10.0.0.1", "port": "1,2", "dbname": "prod", "user": "app", "password": "secret",
        "service": "prod", "passfile": "/x", "target_session_attrs": "read-write", "sslmode": "require",
        "sslcert": "/c", "gssencmode": "require", "channel_binding": "require", "requirepeer": "root",
        "require_auth": "gss", "sslnegotiation": "direct", "load_balance_hosts": "random", "krbsrvname": "x",
    }  # fmt: skip
    assert rewritten(driver, [], words, HERE, {}) == WHERE


@pytest.mark.parametrize("driver", DRIVERS)
def test_everything_else_stays(driver: str) -> None:
    """What shapes the session is the application's own."""
    words = {
        "options": "-c statement_timeout=5s", "application_name": "shop", "connect_timeout": 3, "keepalives": 1,
        "client_encoding": "utf8", "cursor_factory": object, "prepare_threshold": None, "tcp_user_timeout": 9,
    }  # fmt: skip
    assert rewritten(driver, [""], words, HERE, {}) == WHERE | words


@pytest.mark.parametrize(("driver", "word"), [("psycopg", "conninfo"), ("psycopg2", "dsn")])
def test_connection_strings_are_taken_apart(driver: str, word: str) -> None:
    """A connection string loses its server and keeps its settings, as an argument or by position."""
    string = "postgresql://app:secret@prod:1/prod?application_name=shop&sslmode=require"
    expected = WHERE | {"application_name": "shop"}
    assert rewritten(driver, [], {word: string}, HERE, {}) == expected
    assert rewritten(driver, [string], {}, HERE, {}) == expected
    assert requested(driver, [string], {}, {}) == ("app", "prod")


@pytest.mark.parametrize("driver", DRIVERS)
def test_the_environment_is_undone(driver: str) -> None:
    """A variable that is set is answered by a neutral argument; one that is not set costs nothing."""
    environ = {"PGHOSTADDR": "10.0.0.1", "PGSSLMODE": "verify-full", "PGAPPNAME": "shop", "PGOPTIONS": "-c x=y"}
    assert rewritten(driver, [], {}, HERE, environ) == WHERE | {"hostaddr": "", "sslmode": "prefer"}


@pytest.mark.parametrize("driver", DRIVERS)
def test_the_target_brings_its_own_tls(driver: str) -> None:
    """An external server's TLS settings win over the application's and the environment's."""
    words = rewritten(driver, [], {"sslmode": "disable", "sslcert": "/c"}, TCP, {"PGSSLMODE": "allow"})
    assert words["sslmode"] == "verify-full"
    assert words["sslrootcert"] == "/ca"
    assert words["password"] == "pw"
    assert "sslcert" not in words


def test_asyncpg_where_and_whom_are_replaced() -> None:
    """The same for asyncpg's arguments."""
    words = {
        "host": ["a", "b"], "port": [1, 2], "user": "app", "password": "secret", "database": "prod", "ssl": "require",
        "passfile": "/x", "service": "prod", "direct_tls": True, "target_session_attrs": "standby", "krbsrvname": "x",
    }  # fmt: skip
    result = rewritten("asyncpg", [], words, HERE, {})
    where = {"host": "/run/here", "port": 5433, "user": "owner", "password": "", "database": "worker", "ssl": False}
    assert result.items() >= where.items()
    assert result["target_session_attrs"] == "any"
    assert not result.keys() & {"dsn", "service", "passfile"}
    assert result["direct_tls"] is False


@pytest.mark.skipif(not HAS_SERVICES, reason="this asyncpg has no services")
@pytest.mark.parametrize("words", [{}, {"service": "prod", "servicefile": "/x"}, {"dsn": "postgresql://?service=prod"}])
def test_asyncpg_reads_no_service(words: dict[str, str]) -> None:
    """The file that asyncpg looks services up in is always given, and always empty."""
    result = rewritten("asyncpg", [], words, HERE, {"PGSERVICE": "prod", "PGSERVICEFILE": "/x"})
    assert result["servicefile"] == os.devnull
    assert not result.keys() & {"dsn", "service"}


def test_asyncpg_everything_else_stays() -> None:
    """Caches, timeouts, settings and classes are the application's own."""
    words = {
        "server_settings": {"search_path": "x"}, "timeout": 3, "command_timeout": 5, "statement_cache_size": 0,
        "prepared_statement_cache_size": 0, "connection_class": object, "record_class": dict,
    }  # fmt: skip
    result = rewritten("asyncpg", [], words, HERE, {})
    assert {word: result[word] for word in words} == words
    assert words["server_settings"] == {"search_path": "x"}


def test_asyncpg_dsn_keeps_its_settings() -> None:
    """What a dsn says besides where and whom are server settings; those given as an argument win."""
    dsn = "postgresql://app:s%40crt@prod:1/prod?sslmode=require&application_name=shop&search_path=a"
    words = {"dsn": dsn, "server_settings": {"search_path": "b"}}
    result = rewritten("asyncpg", [], words, HERE, {})
    assert "dsn" not in result
    assert result["server_settings"] == {"application_name": "shop", "search_path": "b"}
    assert requested("asyncpg", [], words, {}) == ("app", "prod")


def test_asyncpg_tls() -> None:
    """asyncpg takes certificates from a dsn only; without TLS settings it tries, but never with files not meant."""
    assert rewritten("asyncpg", [], {}, TCP, {})["dsn"] == "postgresql://?sslmode=verify-full&sslrootcert=%2Fca"
    plain = Address("db", 5432, "owner", "worker")
    assert rewritten("asyncpg", [], {}, plain, {})["ssl"] == "prefer"
    assert rewritten("asyncpg", [], {}, plain, {"PGSSLCERT": "/gone"})["ssl"] is False


@pytest.mark.parametrize("driver", ["asyncpg", *DRIVERS])
def test_what_was_asked(driver: str) -> None:
    """Arguments come before the environment; nothing at all is None."""
    word = "database" if driver == "asyncpg" else "dbname"
    environ = {"PGUSER": "u", "PGDATABASE": "d"}
    assert requested(driver, [], {"user": "app", word: "prod"}, environ) == ("app", "prod")
    assert requested(driver, [], {}, environ) == ("u", "d")
    assert requested(driver, [""], {}, {}) == (None, None)


@pytest.mark.parametrize("driver", ["asyncpg", *DRIVERS])
def test_the_given_arguments_are_left_alone(driver: str) -> None:
    """The engine keeps its arguments for the next connection."""
    words = {"host": "prod", "server_settings": {"a": "b"}} if driver == "asyncpg" else {"host": "prod"}
    before = dict(words)
    rewritten(driver, [], words, HERE, {"PGHOSTADDR": "x"})
    assert words == before
