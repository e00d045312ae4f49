"""Passwords and access tokens."""

from __future__ import annotations

import hashlib
import hmac
import secrets
from datetime import datetime, timedelta, timezone

import jwt

from ledger.errors import NotAuthenticated
from ledger.settings import settings

ALGORITHM = "HS256"
SALT_BYTES = 16
DIGEST_BYTES = 32


def hash_password(password: str) -> str:
    """Return salt and digest in one string, ready to be stored."""
    salt = secrets.token_bytes(SALT_BYTES)
    return f"{salt.hex()}${_digest(password, salt).hex()}"


def verify_password(password: str, stored: str) -> bool:
    """Return whether ``stored`` was made from ``password``."""
    salt, digest = (bytes.fromhex(part) for part in stored.split("$"))
    return hmac.compare_digest(_digest(password, salt), digest)


def create_access_token(user_id: int, expires_delta: timedelta | None = None) -> str:
    """Return a signed token that names the user until it expires."""
    lifetime = settings.token_lifetime if expires_delta is None else expires_delta
    claims = {"sub": str(user_id), "exp": datetime.now(timezone.utc) + lifetime}
    return jwt.encode(claims, settings.token_secret, algorithm=ALGORITHM)


def read_access_token(token: str) -> int:
    """Return the user whom the token names."""
    try:
        claims = jwt.decode(token, settings.token_secret, algorithms=[ALGORITHM])
        return int(claims["sub"])
    except (jwt.InvalidTokenError, KeyError, ValueError) as error:
        raise NotAuthenticated("the access token is not valid") from error


def _digest(password: str, salt: bytes) -> bytes:
    return hashlib.scrypt(password.encode(), salt=salt, n=2**14, r=8, p=1, dklen=DIGEST_BYTES)
