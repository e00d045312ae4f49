"""Tokens that an application must refuse, each made from a good one by one change."""

from __future__ import annotations

import base64
import json
import secrets
import warnings
from collections.abc import Callable
from datetime import datetime, timezone
from typing import Any

from ...errors import UsageError
from .keys import key_of

MALFORMED = "not-a-token"


def is_jwt(token: str) -> bool:
    """Return whether *token* is a signed JSON web token.

    It has three parts, the first of which is a JSON object with ``alg``.
    """
    parts = token.split(".")
    try:
        return len(parts) == 3 and "alg" in json.loads(_decode(parts[0]))
    except ValueError:
        return False


def bad_tokens(token: str, *, expired: str | None = None, function: Callable[..., Any] | None = None) -> dict[str, str]:
    """Return tokens to refuse, by the names of their faults.

    Args:
        token: A good one. A JSON web token gives all of these; any other token only ``malformed`` and ``tampered``.
        expired: One that has expired, if there is one.
        function: The function that made *token*. If its signing key is within its reach, tokens for another audience
            and from another issuer are made too, where *token* names one.

    Returns:
        ``malformed``, ``expired``, ``tampered`` (a claim was changed under the old signature), ``wrong-key``,
        ``alg-none`` (unsigned, as the header says), ``wrong-audience``, ``wrong-issuer``: those that apply.

    Raises:
        UsageError: If *token* is a JSON web token, and PyJWT is not installed.
    """
    tokens = {"malformed": MALFORMED} | ({"expired": expired} if expired else {})
    if not is_jwt(token):
        return tokens | {"tampered": tampered(token)}
    jwt = library()
    header, claims = jwt.get_unverified_header(token), _claims(token)
    tokens["tampered"] = _with_claims(token, _later(claims))
    tokens["wrong-key"] = sign(claims, _other_key(header["alg"]), header)
    tokens["alg-none"] = sign(claims, None, header | {"alg": "none"})
    return tokens | _wrong_claims(token, claims, header, function)


def expired_token(token: str, function: Callable[..., Any]) -> str | None:
    """Sign *token* anew with an expiry in the past; return None if its key is not within reach of *function*."""
    if not is_jwt(token):
        return None
    jwt = library()
    key = key_of(token, function)
    if key is None:
        return None
    past = int(datetime.now(timezone.utc).timestamp()) - 3600
    times = {"exp": past} | {name: past - 3600 for name in ("iat", "nbf") if name in _claims(token)}
    return sign(_claims(token) | times, key, jwt.get_unverified_header(token))


def sign(claims: dict[str, Any], key: Any, header: dict[str, Any]) -> str:
    """Return a JSON web token of *claims*, signed with *key* by the algorithm of *header*."""
    import jwt

    rest = {name: value for name, value in header.items() if name != "alg"}
    with warnings.catch_warnings():
        # PyJWT warns of short keys: that is for the application to decide.
        warnings.simplefilter("ignore")
        return jwt.encode(claims, key, algorithm=header["alg"], headers=rest)


def library() -> Any:
    """Return the module of PyJWT.

    Raises:
        UsageError: If it is not installed.
    """
    try:
        import jwt
    except ImportError as error:
        raise UsageError(
            "The token is a JSON web token, but PyJWT is not installed.",
            why="Crucible uses it to sign tokens with wrong keys and other claims.",
            do="Install the extra: pip install 'pytest-crucible[auth]'.",
        ) from error
    return jwt


def expiry(token: str) -> float | None:
    """Return the expiry of the JSON web token *token*, in seconds since the epoch; None if it has none."""
    moment = _claims(token).get("exp")
    return float(moment) if moment is not None else None


def tampered(token: str) -> str:
    """Return *token* with one character in its middle changed."""
    middle = len(token) // 2
    return token[:middle] + ("A" if token[middle : middle + 1] != "A" else "B") + token[middle + 1 :]


def _wrong_claims(
    token: str, claims: dict[str, Any], header: dict[str, Any], function: Callable[..., Any] | None
) -> dict[str, str]:
    named = {"wrong-audience": "aud", "wrong-issuer": "iss"}
    present = {name: claim for name, claim in named.items() if claim in claims}
    key = key_of(token, function) if present else None
    if key is None:
        return {}
    return {name: sign(claims | {claim: "https://elsewhere.invalid"}, key, header) for name, claim in present.items()}


def _other_key(algorithm: str) -> Any:
    """Return a key that the application does not know, for the same algorithm."""
    if algorithm.startswith("HS"):
        return secrets.token_hex(64)
    from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa

    if algorithm.startswith("ES"):
        curves: dict[str, Any] = {"ES256K": ec.SECP256K1, "ES384": ec.SECP384R1, "ES512": ec.SECP521R1}
        return ec.generate_private_key(curves.get(algorithm, ec.SECP256R1)())
    if algorithm == "EdDSA":
        return ed25519.Ed25519PrivateKey.generate()
    return rsa.generate_private_key(public_exponent=65537, key_size=2048)


def _later(claims: dict[str, Any]) -> dict[str, Any]:
    """Return the claims with an expiry one year from now."""
    return claims | {"exp": int(datetime.now(timezone.utc).timestamp()) + 365 * 86400}


def _with_claims(token: str, claims: dict[str, Any]) -> str:
    header, _, signature = token.split(".")
    return f"{header}.{_encode(json.dumps(claims).encode())}.{signature}"


def _claims(token: str) -> dict[str, Any]:
    claims: dict[str, Any] = json.loads(_decode(token.split(".")[1]))
    return claims


def _decode(part: str) -> bytes:
    return base64.urlsafe_b64decode(part + "=" * (-len(part) % 4))


def _encode(raw: bytes) -> str:
    return base64.urlsafe_b64encode(raw).rstrip(b"=").decode()
