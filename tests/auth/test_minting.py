"""The application's own token function, called by its signature."""

from __future__ import annotations

import uuid
from dataclasses import dataclass
from datetime import datetime, timedelta, timezone
from types import SimpleNamespace
from typing import Any

import pytest

from pytest_crucible import UsageError
from pytest_crucible.auth.tokens.mint import PAST, Mint


@dataclass
class User:
    id: int = 7
    email: str = "ada@example.org"
    tenant_id: str = "north"


def by_user(user: User, expires_delta: timedelta | None = None) -> Any:
    return user, expires_delta


def by_person(p: User) -> Any:
    return p


def by_id(user_id: int, *, expires_in: int = 3600) -> Any:
    return user_id, expires_in


def by_text(user_id: str, expire_minutes: float | None = None) -> Any:
    return user_id, expire_minutes


def by_subject(subject: Any, expires_delta: timedelta) -> Any:
    return subject, expires_delta


def by_claims(data: dict[str, Any], expires_delta: timedelta | None = None) -> Any:
    return data, expires_delta


def by_mapping(what: "dict[str, str]", lifetime: timedelta = timedelta(days=1)) -> Any:  # noqa: UP037 - as people write
    return what, lifetime


def by_attributes(id: int, email: str, tenant_id: str, /, role: str = "reader") -> Any:  # noqa: A002 - as people write
    return id, email, tenant_id, role


async def waiting(user_id: int, ttl_hours: int = 1) -> Any:
    return user_id, ttl_hours


@pytest.mark.parametrize(
    ("function", "expected", "past"),
    [
        (by_user, (User(), None), (User(), PAST)),
        (by_person, User(), None),
        (by_id, (7, 3600), (7, -3600)),
        (by_text, ("7", None), ("7", -60)),
        (by_subject, ("7", timedelta(hours=1)), ("7", PAST)),
        (by_claims, ({"sub": "7"}, None), ({"sub": "7"}, PAST)),
        (by_mapping, ({"sub": "7"}, timedelta(days=1)), ({"sub": "7"}, PAST)),
        (by_attributes, (7, "ada@example.org", "north", "reader"), None),
        (waiting, (7, 1), (7, -1)),
    ],
)
def test_a_signature_says_what_it_takes(function, expected, past):
    """User, id, subject or claims; a lifetime as a timedelta, or a number in the unit of its name; sync or async."""
    mint = Mint(function, "app:token")
    assert mint(User()) == expected
    assert mint.sets_expiry is (past is not None)
    if past is not None:
        assert mint(User(), PAST) == past


def test_a_moment_of_expiry():
    """A function that takes a moment gets one in the past."""

    def token(user_id: int, expires_at: datetime) -> datetime:
        return expires_at

    assert Mint(token, "app:token")(User(), PAST) < datetime.now(timezone.utc)


@pytest.mark.parametrize(
    ("user", "expected"),
    [
        (SimpleNamespace(user_id=3, name="ada"), 3),
        ({"id": 4}, 4),
        (5, 5),
        (SimpleNamespace(username="ada"), "ada"),
        (uuid.UUID(int=1), uuid.UUID(int=1)),
    ],
)
def test_whatever_a_user_is(user, expected):
    """Objects, mappings and plain values name themselves."""
    assert Mint(by_id, "app:token")(user) == (expected, 3600)


def test_an_unclear_parameter():
    """The error shows the signature, and the wrapper to write."""

    def token(audience: str, user_id: int) -> str:
        return ""

    with pytest.raises(UsageError) as caught:
        Mint(token, "app.security:token")(User())
    assert "the meaning of its parameter 'audience' is unknown" in caught.value.found
    assert "token(audience: str, user_id: int) -> str" in caught.value.why
    assert "from app.security import token" in caught.value.do
    assert 'crucible_access_token = "tests.tokens:mint"' in caught.value.do


def test_a_user_without_a_name():
    """A user that has none of the usual attributes is an error that lists them."""
    with pytest.raises(UsageError, match="none of id, user_id, uuid"):
        Mint(by_id, "app:token")(SimpleNamespace(colour="red"))
