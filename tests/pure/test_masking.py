"""Passwords in texts and in values that are shown."""

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from pytest_crucible.errors.masking import Masked, Password, mask, without_frames
from pytest_crucible.server import Address

ANY = st.text(st.characters(exclude_categories=["Cs", "Z", "Cc"]), min_size=12)


@pytest.mark.parametrize(
    ("text", "masked"),
    [
        ("postgres//joe:pw@db/x", "postgres//joe:***@db/x"),
        ("postgresql://joe:my pw@db/x", "postgresql://joe:***@db/x"),
        ("host=db password=pw user=joe", "host=db password=*** user=joe"),
        ("host=db password = 'p \\' w' user=joe", "host=db password = *** user=joe"),
        ("postgresql://db/x?sslpassword=pw&user=joe", "postgresql://db/x?sslpassword=***&user=joe"),
        ("PGPASSWORD=pw psql", "PGPASSWORD=*** psql"),
        ("http://localhost:8000/users and a @decorator", "http://localhost:8000/users and a @decorator"),
    ],
)
def test_masking(text: str, masked: str):
    """Passwords go from URLs, connection strings and assignments; the rest of a text stays."""
    assert mask(text) == masked


@given(ANY)
def test_the_repr_of_an_address_shows_no_password(password: str):
    """Neither do those of its URL and of its keywords."""
    bare = Address("db", 5432, "joe", "x", "", (("sslpassword", ""),))
    assume(password not in f"{bare!r} {bare.url()!r} {bare.libpq()!r}")
    address = Address("db", 5432, "joe", "x", password, (("sslpassword", password),))
    shown = f"{address!r} {address.url()!r} {address.libpq()!r}"
    # What is quoted in the URL has another spelling.
    assert password not in shown.replace("***", "")
    assert address.libpq()["password"] == password
    assert address.without_secrets().password is None


def test_a_masked_text_is_a_text():
    """It equals the text, and only its repr differs."""
    url = Masked("postgresql://joe:pw@db/x")
    assert url == "postgresql://joe:pw@db/x"
    assert f"{url}" == "postgresql://joe:pw@db/x"
    assert repr(url) == "'postgresql://joe:***@db/x'"
    assert [Password("pw")] == ["pw"]
    assert repr([Password("pw")]) == "['***']"


def _connect(password: str) -> None:
    raise ValueError(password[0])


def test_frames_of_drivers_go():
    """Of an error stays the frame that caught it; of its causes none."""
    try:
        try:
            _connect("pw")
        except ValueError as error:
            raise KeyError from error
    except KeyError as error:
        caught = without_frames(error)
    assert caught.__traceback__ is not None
    assert caught.__traceback__.tb_next is None
    assert caught.__cause__ is not None
    assert caught.__cause__.__traceback__ is None
