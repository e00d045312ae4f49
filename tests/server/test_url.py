"""URLs of external servers, as people write them."""

import getpass

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pytest_crucible.errors import UsageError
from pytest_crucible.server import Address, url

WORDS = st.text(st.characters(exclude_categories=["Cs", "Cc"]), min_size=1, max_size=12)


@pytest.mark.parametrize(
    ("text", "address"),
    [
        ("postgresql://u:p@h:5433/d", Address("h", 5433, "u", "d", "p")),
        ("postgres://u@h", Address("h", 5432, "u", "postgres")),
        ("postgresql+asyncpg://u@h/d?ssl=require", Address("h", 5432, "u", "d", tls=(("sslmode", "require"),))),
        ("postgresql+psycopg://u@h/d?connect_timeout=3", Address("h", 5432, "u", "d")),
        ("postgresql://u@/d?host=/run/pg&port=6000", Address("/run/pg", 6000, "u", "d")),
        ("postgresql://u@localhost/d?host=/run/pg&port=6000", Address("/run/pg", 6000, "u", "d")),
        ("postgresql://%2Frun%2Fpg/d?user=u", Address("/run/pg", 5432, "u", "d")),
        ("postgresql://u:p%40%2F@[::1]:1/d", Address("::1", 1, "u", "d", "p@/")),
        ("postgresql:///d", Address("localhost", 5432, getpass.getuser(), "d")),
        (
            "postgresql://u@h/d?sslmode=verify-full&sslrootcert=/ca.pem",
            Address("h", 5432, "u", "d", tls=(("sslmode", "verify-full"), ("sslrootcert", "/ca.pem"))),
        ),
    ],
)
def test_reading(text, address):
    """A URL of SQLAlchemy, libpq or asyncpg names the same address."""
    assert url.parse(text) == address


@given(
    user=WORDS,
    password=WORDS | st.none(),
    database=WORDS,
    socket=st.booleans(),
    host=st.sampled_from(["", "localhost"]),
)
def test_what_an_address_writes_can_be_read(user, password, database, socket, host):
    """Address.url and parse are each other's inverse."""
    address = Address("/run/pg" if socket else "db.example", 5433, user, database, password, (("sslmode", "require"),))
    written = address.url("postgresql+asyncpg", host)
    assert url.parse(written) == address
    assert ("@localhost/" in written) == (socket and host == "localhost")


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("sqlite:///x.db", ["'sqlite://…' is not a PostgreSQL URL", "never against SQLite", "embedded"]),
        ("sqlite+aiosqlite://", ["never against SQLite"]),
        ("mysql+pymysql://u:secret@h/d", ["'mysql+pymysql://…' is not a PostgreSQL URL"]),
        ("postgresql://u@h/d?sslmod=require", ["'sslmod'", "Did you mean 'sslmode'?"]),
        ("postgresql://u@h1,h2/d", ["several servers", "on one"]),
        ("postgresql://u:secret/word@h/d", ["cannot be parsed as a URL", "quote"]),
    ],
)
def test_errors(text, words):
    """What is no URL of one PostgreSQL server is refused with a reason and an example, and without its password."""
    with pytest.raises(UsageError) as caught:
        url.parse(text)
    assert [word for word in words if word not in str(caught.value)] == []
    assert caught.value.do
    assert "secret" not in str(caught.value)
