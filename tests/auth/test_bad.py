"""Tokens that must be refused, judged by a verifier that does its work."""

from __future__ import annotations

import functools
import sys
import warnings
from datetime import datetime, timedelta, timezone
from types import SimpleNamespace
from typing import Any

import jwt
import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec, rsa

from pytest_crucible import UsageError
from pytest_crucible.auth import bad_tokens
from pytest_crucible.auth.tokens.bad import expired_token, is_jwt
from pytest_crucible.auth.tokens.keys import key_of
from pytest_crucible.auth.tokens.mint import Mint
from pytest_crucible.auth.tokens.tokens import NoToken, Tokens

SECRET = "a secret that is long enough for any of these algorithms, and then some"
SETTINGS = SimpleNamespace(auth=SimpleNamespace(secret=SimpleNamespace(get_secret_value=lambda: SECRET)))


def pem(key: Any) -> bytes:
    words = serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    return key.private_bytes(*words)


RSA = rsa.generate_private_key(public_exponent=65537, key_size=2048)
EC = ec.generate_private_key(ec.SECP256R1())
KEYS: dict[str, tuple[Any, Any]] = {
    "HS256": (SECRET, SECRET),
    "HS512": (SECRET, SECRET),
    "RS256": (pem(RSA), RSA.public_key()),
    "ES256": (pem(EC), EC.public_key()),
}


def token(algorithm: str, **claims: Any) -> str:
    expires = datetime.now(timezone.utc) + timedelta(hours=1)
    return jwt.encode({"sub": "7", "exp": expires, **claims}, KEYS[algorithm][0], algorithm, headers={"kid": "1"})


def refused(bad: str, algorithm: str, **words: Any) -> type[Exception]:
    with pytest.raises(jwt.InvalidTokenError) as caught:
        jwt.decode(bad, KEYS[algorithm][1], algorithms=[algorithm], **words)
    return caught.type


@pytest.mark.parametrize("algorithm", KEYS)
def test_each_is_bad_in_one_way(algorithm):
    """Every bad token is refused, for the reason that its name says."""
    found = bad_tokens(token(algorithm))
    assert {name: refused(bad, algorithm) for name, bad in found.items()} == {
        "malformed": jwt.DecodeError,
        "tampered": jwt.InvalidSignatureError,
        "wrong-key": jwt.InvalidSignatureError,
        "alg-none": jwt.InvalidAlgorithmError,
    }


@pytest.mark.parametrize("algorithm", KEYS)
def test_wrong_claims_are_signed_with_the_right_key(algorithm):
    """Where a token names audience or issuer and its key is in reach, others are made that differ in nothing else."""
    words = {"audience": "app", "issuer": "us"}
    found = bad_tokens(token(algorithm, aud="app", iss="us"), function=token)
    assert refused(found["wrong-audience"], algorithm, **words) is jwt.InvalidAudienceError
    assert refused(found["wrong-issuer"], algorithm, **words) is jwt.InvalidIssuerError
    assert "wrong-audience" not in bad_tokens(token(algorithm), function=token)


@pytest.mark.parametrize("algorithm", KEYS)
def test_expired_by_the_key(algorithm):
    """A token that no function can make expire is signed anew with the application's own key."""
    assert refused(expired_token(token(algorithm), token), algorithm) is jwt.ExpiredSignatureError


def test_the_key_is_found_where_it_is():
    """In settings behind a secret, in a closure, bound by partial, behind a cached function; elsewhere it is not."""
    settings = SETTINGS

    @functools.cache
    def get_settings() -> Any:
        return SimpleNamespace(key="cached, and of as many bytes as a key must have")

    def cached() -> str:
        return get_settings().key

    def by_settings() -> str:
        return settings.auth.secret.get_secret_value()

    def bound(secret: str) -> str:
        return secret

    made = jwt.encode({"sub": "7"}, SECRET)
    assert key_of(made, by_settings) == SECRET
    assert key_of(made, functools.partial(bound, secret=SECRET)) == SECRET
    assert key_of(made, None) is None
    assert key_of(jwt.encode({}, cached()), cached) == cached()
    assert key_of(jwt.encode({"sub": "7"}, SECRET + "!"), by_settings) is None


def test_a_key_of_the_environment(monkeypatch):
    """What the function reads from the environment is found there."""
    monkeypatch.setenv("TOKEN_SECRET", "of the environment, and of more than 32 bytes")
    assert key_of(jwt.encode({}, "of the environment, and of more than 32 bytes"), None) is not None


def test_a_public_key_cannot_sign():
    """A public key verifies a token too, and is not taken for the key."""
    public = RSA.public_key().public_bytes(serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo)
    assert key_of(token("RS256"), functools.partial(token, public)) == KEYS["RS256"][0]
    assert key_of(token("RS256"), functools.partial(str, public)) is None


@pytest.mark.parametrize("opaque", ["c2VjcmV0", "a.b.c", "sk_live_51H8x"])
def test_a_token_that_is_no_jwt(opaque):
    """It is tampered with as text."""
    assert not is_jwt(opaque)
    found = bad_tokens(opaque, expired="old")
    assert set(found) == {"malformed", "expired", "tampered"}
    assert found["tampered"] != opaque
    assert len(found["tampered"]) == len(opaque)


def test_without_pyjwt(monkeypatch):
    """A JSON web token without PyJWT is an error that names the extra; other tokens need none."""
    made = token("HS256")
    monkeypatch.setitem(sys.modules, "jwt", None)
    with pytest.raises(UsageError, match=r"pip install 'pytest-crucible\[auth\]'"):
        bad_tokens(made)
    assert set(bad_tokens("opaque")) == {"malformed", "tampered"}


@pytest.mark.parametrize(
    "function",
    [
        lambda user_id, expires_delta=None: jwt.encode({"sub": user_id}, SECRET),
        lambda user_id, expires_delta=None: jwt.encode({"sub": user_id, "exp": 2**33}, SECRET),
    ],
    ids=["never", "corrected"],
)
def test_tokens_that_do_not_expire(function):
    """A token function whose expired tokens have not ended is found out, not the application blamed."""
    with pytest.raises(NoToken, match="makes one that is still valid"):
        Tokens(lambda: None, Mint(function, "app:token")).expired("ada")


def test_weak_keys_are_the_application_s_matter():
    """A key that is too short warns where the application uses it, and not once more here."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of newer versions of PyJWT
        weak = jwt.encode({"aud": "app"}, "short")
    assert set(bad_tokens(weak, function=functools.partial(str, "short"))) >= {"wrong-key", "wrong-audience"}
