"""Extensions: an ordinary role's own CREATE EXTENSION works, and what lacks is explained."""

import random
import string
import uuid

import psycopg
import pytest

from pytest_crucible.server.embedded.missing import missing_extension


@pytest.fixture(scope="module")
def ordinary(shared):
    """Yield a connection of an ordinary role to a database of its own."""
    shared.execute("CREATE ROLE app LOGIN")
    shared.execute("CREATE DATABASE app OWNER app")
    with psycopg.connect(host=shared.info.host, user="app", dbname="app", autocommit=True) as connection:
        yield connection


@pytest.fixture
def uuids(ordinary):
    """Return the replacement of uuid-ossp, created by the ordinary role."""
    ordinary.execute('CREATE EXTENSION IF NOT EXISTS "uuid-ossp"')
    return lambda call, *arguments: ordinary.execute(f"SELECT {call}", arguments).fetchone()[0]


def test_every_extension_can_be_created_by_an_ordinary_role(ordinary):
    """Each extension that the server offers can be created by a role that is no superuser."""
    names = [name for (name,) in ordinary.execute("SELECT name FROM pg_available_extensions").fetchall()]
    assert {"citext", "pg_trgm", "vector", "postgres_fdw", "uuid-ossp"} <= set(names)
    for name in names:
        ordinary.execute(f'CREATE EXTENSION IF NOT EXISTS "{name}" CASCADE')


def test_an_extension_belongs_to_whoever_creates_it(ordinary):
    """The ordinary role owns its extension and may drop it; a migration's downgrade does."""
    ordinary.execute("CREATE EXTENSION IF NOT EXISTS file_fdw")
    ordinary.execute("DROP EXTENSION file_fdw")


def test_named_uuids_are_those_of_everybody(uuids):
    """uuid_generate_v3 and v5 give the values that Python gives, for names of any length."""
    letters = random.Random(5)  # noqa: S311 - test data
    for length in [*range(0, 130, 7), 55, 56, 63, 64, 1000]:
        name = "".join(letters.choices(string.printable + "äß€", k=length))
        assert uuids("uuid_generate_v5(uuid_ns_dns(), %s)", name) == uuid.uuid5(uuid.NAMESPACE_DNS, name)
        assert uuids("uuid_generate_v3(uuid_ns_url(), %s)", name) == uuid.uuid3(uuid.NAMESPACE_URL, name)


@pytest.mark.parametrize(
    ("function", "expected"),
    [
        ("uuid_nil", uuid.UUID(int=0)),
        ("uuid_ns_dns", uuid.NAMESPACE_DNS),
        ("uuid_ns_url", uuid.NAMESPACE_URL),
        ("uuid_ns_oid", uuid.NAMESPACE_OID),
        ("uuid_ns_x500", uuid.NAMESPACE_X500),
    ],
)
def test_constants(uuids, function, expected):
    """The constants have their standard values."""
    assert uuids(f"{function}()") == expected


@pytest.mark.parametrize("function", ["uuid_generate_v1", "uuid_generate_v1mc"])
def test_uuids_of_time(uuids, function):
    """Version 1 tells the time, and its random node has the multicast bit."""
    made = uuids(f"{function}()")
    assert (made.version, made.variant) == (1, uuid.RFC_4122)
    assert made.node >> 40 & 1
    assert uuids(f"abs(extract(epoch FROM now() - uuid_extract_timestamp({function}()))) < 5")


def test_random_uuids(uuids):
    """Version 4 is random."""
    made = {uuids("uuid_generate_v4()") for _ in range(20)}
    assert len(made) == 20
    assert {one.version for one in made} == {4}


def test_defaults_with_uuids(ordinary, uuids):
    """A column default uses them, also after the extension moved to another schema and with any search path."""
    ordinary.execute("CREATE TABLE item (id uuid DEFAULT uuid_generate_v1(), named uuid)")
    ordinary.execute("ALTER TABLE item ALTER named SET DEFAULT uuid_generate_v5(uuid_ns_dns(), 'x')")
    ordinary.execute("SET search_path = pg_temp")
    made = ordinary.execute("INSERT INTO public.item DEFAULT VALUES RETURNING named").fetchone()
    ordinary.execute("RESET search_path")
    assert made == (uuid.uuid5(uuid.NAMESPACE_DNS, "x"),)


@pytest.mark.parametrize("name", ["pgcrypto", "postgis", "postgis_topology", "timescaledb"])
def test_what_is_missing(name):
    """An extension that the build lacks is named, with the servers that may have it."""
    error = missing_extension(name)
    assert name in error.found
    assert 'crucible_server = "container"' in error.do
    assert "postgresql://" in error.do


@pytest.mark.parametrize("name", ["citext", "vector", "uuid-ossp", "plpgsql"])
def test_what_is_there(name):
    """For an extension that can be created there is no error."""
    assert missing_extension(name) is None
