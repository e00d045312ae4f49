"""The application is configured for another live server, in every way there is: that server sees no connection."""

from __future__ import annotations

import os
import time
from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest
from sqlalchemy import event
from sqlalchemy.engine import Engine

from pytest_crucible.redirect import Redirect
from pytest_crucible.server import Address

from .conftest import ASYNC, SYNC, WHICH_SERVER, Ask

DRIVERS = pytest.mark.parametrize("driver", SYNC + ASYNC)


def sessions(other: Address) -> int:
    """How many sessions the other server's production database has ever seen."""
    with psycopg.connect(**other.to("postgres", user="crucible_admin").libpq()) as connection:
        return connection.execute("select sessions from pg_stat_database where datname = 'prod'").fetchone()[0]


@pytest.fixture(scope="module", autouse=True)
def _unseen(other: Address) -> Iterator[None]:
    """Check that the other server sees nothing of all these tests."""
    before = sessions(other)
    yield
    time.sleep(0.2)  # a backend reports when it ends
    assert sessions(other) == before


@DRIVERS
def test_url(redirect: Redirect, ask: Ask, other: Address, identifier: object, driver: str) -> None:
    """A URL that works, with the socket in its query, and several hosts."""
    assert ask(driver, f"app:secret@/prod?host={other.host}&port={other.port}") == identifier
    assert ask(driver, f"app:secret@/prod?host={other.host}:{other.port}&host={other.host}:1") == identifier


@DRIVERS
def test_environment(
    redirect: Redirect, ask: Ask, other: Address, identifier: object, driver: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """No URL to speak of, and all of it in the environment, which the application can still read."""
    given = {
        "PGHOST": other.host, "PGPORT": str(other.port), "PGUSER": "app", "PGDATABASE": "prod", "PGPASSWORD": "secret"
    }  # fmt: skip
    for variable, value in given.items():
        monkeypatch.setenv(variable, value)
    assert ask(driver, "") == identifier
    assert ask(driver, "", "show port") == str(redirect_port(redirect))
    assert {variable: os.environ[variable] for variable in given} == given


def redirect_port(redirect: Redirect) -> int:
    """Return the port of the target."""
    return redirect._targets._target(None).address.port  # type: ignore[arg-type]


VARIABLES = {
    "PGHOSTADDR": "192.0.2.1",
    "PGTARGETSESSIONATTRS": "standby",
    "PGSSLMODE": "verify-full",
    "PGREQUIRESSL": "1",
    "PGSSLROOTCERT": "/gone/root.crt",
    "PGSSLCERT": "/gone/client.crt",
    "PGSSLKEY": "/gone/client.key",
    "PGSSLCRL": "/gone/crl",
    "PGSSLNEGOTIATION": "direct",
    "PGSSLMINPROTOCOLVERSION": "TLSv1.3",
    "PGSSLCERTMODE": "require",
    "PGCHANNELBINDING": "require",
    "PGREQUIREAUTH": "scram-sha-256",
    "PGREQUIREPEER": "nobody-at-all",
    "PGGSSENCMODE": "require",
    "PGKRBSRVNAME": "elsewhere",
    "PGLOADBALANCEHOSTS": "random",
    "PGPASSFILE": "/gone/pgpass",
}


@DRIVERS
@pytest.mark.parametrize("variable", VARIABLES)
def test_variables(
    redirect: Redirect, ask: Ask, identifier: object, driver: str, variable: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each variable that says where, or how to authenticate there, is without effect."""
    monkeypatch.setenv(variable, VARIABLES[variable])
    assert ask(driver, "app@nowhere.invalid/prod") == identifier


@pytest.fixture
def service(tmp_path: Path, other: Address) -> Path:
    """Return a service file that names the other server."""
    path = tmp_path / "pg_service.conf"
    path.write_text(
        f"[prod]\nhost={other.host}\nport={other.port}\nuser=app\npassword=secret\ndbname=prod\n"
        "target_session_attrs=standby\n"
    )
    return path


@DRIVERS
def test_service_variable(
    redirect: Redirect, ask: Ask, identifier: object, driver: str, service: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """PGSERVICE has no effect, even if set while the redirect is there, and the application can still read it."""
    monkeypatch.setenv("PGSERVICEFILE", str(service))
    monkeypatch.setenv("PGSERVICE", "prod")
    assert ask(driver, "") == identifier
    assert os.environ["PGSERVICE"] == "prod"


@DRIVERS
def test_service_argument(
    redirect: Redirect, ask: Ask, identifier: object, driver: str, service: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A service in connect_args, by itself or inside a connection string, has no effect."""
    monkeypatch.setenv("PGSERVICEFILE", str(service))
    string = {"asyncpg": {"dsn": "postgresql://?service=prod"}, "psycopg2": {"dsn": "service=prod"}}
    for arguments in ({"service": "prod"}, string.get(driver, {"conninfo": "service=prod"})):
        assert ask(driver, "", connect_args=arguments) == identifier


@DRIVERS
def test_connection_string(redirect: Redirect, ask: Ask, other: Address, identifier: object, driver: str) -> None:
    """A connection string in connect_args is led away and keeps its settings."""
    string = f"postgresql://app:secret@/prod?host={other.host}&port={other.port}&application_name=shop"
    arguments = {"conninfo" if driver.startswith("psycopg_") or driver == "psycopg" else "dsn": string}
    assert ask(driver, "", connect_args=arguments) == identifier
    assert ask(driver, "", "show application_name", connect_args=arguments) == "shop"


LIBPQ_ARGUMENTS = {
    "hostaddr": "192.0.2.1", "target_session_attrs": "standby", "sslmode": "verify-full", "sslrootcert": "/gone",
    "sslcert": "/gone", "channel_binding": "require", "require_auth": "gss", "requirepeer": "nobody-at-all",
    "gssencmode": "require", "passfile": "/gone",
}  # fmt: skip
ASYNCPG_ARGUMENTS = {
    "target_session_attrs": "standby", "ssl": "verify-full", "direct_tls": True, "passfile": "/gone", "krbsrvname": "x"
}  # fmt: skip


@DRIVERS
def test_arguments(redirect: Redirect, ask: Ask, identifier: object, driver: str) -> None:
    """Each argument that says where, or how to authenticate there, is without effect."""
    for word, value in (ASYNCPG_ARGUMENTS if driver == "asyncpg" else LIBPQ_ARGUMENTS).items():
        assert ask(driver, "app@nowhere.invalid/prod", connect_args={word: value}) == identifier


@DRIVERS
def test_session_settings_stay(redirect: Redirect, ask: Ask, driver: str) -> None:
    """What the application says of its sessions holds."""
    if driver == "asyncpg":
        arguments: dict[str, object] = {"server_settings": {"statement_timeout": "4321"}, "statement_cache_size": 0}
    else:
        arguments = {"options": "-c statement_timeout=4321", "connect_timeout": 9}
    assert ask(driver, "app@nowhere.invalid/prod", "show statement_timeout", connect_args=arguments) == "4321ms"


@DRIVERS
def test_a_listener_of_the_application(
    redirect: Redirect, ask: Ask, other: Address, identifier: object, driver: str
) -> None:
    """A do_connect listener that sends engines elsewhere has no effect, whether it runs before Crucible's or after."""

    def send_elsewhere(dialect: object, record: object, cargs: list, cparams: dict) -> None:
        cparams.update(host=other.host, port=other.port, user="app", password="secret")

    for insert in (False, True):
        event.listen(Engine, "do_connect", send_elsewhere, insert=insert)
        try:
            assert ask(driver, "app@nowhere.invalid/prod", WHICH_SERVER) == identifier
        finally:
            event.remove(Engine, "do_connect", send_elsewhere)
