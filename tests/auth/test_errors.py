"""What is said where something cannot be had."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import jwt
import pytest
from fastapi import FastAPI

from pytest_crucible import CrucibleError, UsageError
from pytest_crucible.auth import route_matrix
from pytest_crucible.auth.tokens.mint import Mint, mint_of
from pytest_crucible.auth.tokens.tokens import NoToken, Tokens
from pytest_crucible.settings import Settings


def tokens(function: Any) -> Tokens:
    return Tokens(FastAPI, Mint(function, "app.security:token"))


def hidden() -> Any:
    """Return a token function whose key nothing leads to."""
    key = "0123456789" * 4
    encode = SimpleNamespace(sign=lambda claims: jwt.encode(claims, key)).sign
    return type("Signer", (), {"__call__": lambda self, user_id: encode({"sub": str(user_id)})})()


def no_lifetime() -> None:
    tokens(hidden()).expired(7)


def no_text() -> None:
    tokens(lambda user: SimpleNamespace(access_token="x")).good(7)


def no_sessions() -> None:
    tokens(lambda user: {"user_id": user}).good(7)


def no_function() -> None:
    mint_of(Settings(Path(), access_token="string:ascii_letters"))


ERRORS = {
    no_lifetime: ("app.security:token takes no lifetime", "Or override the fixture expired_token."),
    no_text: ("the function returned SimpleNamespace", "extracts the text"),
    no_sessions: ("the application has no SessionMiddleware", 'return "cookie:NAME"'),
    no_function: ("string:ascii_letters is str, not a function", "Name the function that makes the access token"),
}


@pytest.mark.parametrize("raising", ERRORS, ids=lambda function: function.__name__)
def test_errors_say_what_to_do(raising):
    """Each names what was found and what to write instead."""
    found, do = ERRORS[raising]
    with pytest.raises(UsageError) as caught:
        raising()
    assert found in caught.value.found
    assert do in caught.value.do


def test_what_cannot_be_made_is_told_from_what_is_wrong():
    """The matrix skips for want of a token, and for nothing else."""
    assert issubclass(NoToken, CrucibleError)
    with pytest.raises(NoToken):
        no_lifetime()
    with pytest.raises(UsageError) as caught:
        no_text()
    assert not isinstance(caught.value, NoToken)


@pytest.mark.parametrize(
    ("words", "said"),
    [
        ({"public": "GET /health"}, r"public must be a list: write public=\['GET /health'\]"),
        ({"secured": "*"}, r"secured must be a list: write secured=\['\*'\]"),
        ({"credentials": ["expierd"]}, "there are no credentials expierd. There are missing, malformed, expired"),
        ({"publc": []}, "unexpected keyword argument 'publc'"),
    ],
    ids=["text", "pattern", "credential", "argument"],
)
def test_a_matrix_that_is_written_wrongly(words, said):
    """A misspelt argument or credential, and a text where a list belongs, are errors at once."""
    with pytest.raises(TypeError, match=said):
        route_matrix(**words)
