"""Cookies of Starlette's `SessionMiddleware`, signed with the middleware's own key."""

from __future__ import annotations

import base64
import inspect
import json
import time
from collections.abc import Mapping
from datetime import timedelta
from typing import Any

from ...errors import UsageError

# Starlette's default.
TWO_WEEKS = 14 * 24 * 60 * 60


class SessionCookies:
    """The cookies of one ``SessionMiddleware``.

    Args:
        secret: Its ``secret_key``.
        cookie: The name of its cookie.
        max_age: The lifetime of a session in seconds; None for as long as the browser is open.
    """

    def __init__(self, secret: str, cookie: str = "session", max_age: int | None = TWO_WEEKS) -> None:
        self._secret = secret
        self.cookie = cookie
        self._max_age = max_age

    def sign(self, session: Mapping[str, Any], expires: timedelta | None = None) -> str:
        """Return the cookie of a session with the contents *session*, which may have expired."""
        age = 0.0
        if expires is not None and self._max_age is not None:
            age = self._max_age - expires.total_seconds()
        return str(self._signer(age).sign(_packed(session)).decode())

    def bad(self, good: str) -> dict[str, str]:
        """Return cookies that the middleware must refuse, by the names of their faults."""
        packed, _, signature = good.partition(".")
        session = json.loads(base64.b64decode(packed))
        other = SessionCookies(f"not {self._secret}", self.cookie, self._max_age)
        changed = _packed({**session, "crucible": "changed"}).decode()
        return {"tampered": f"{changed}.{signature}", "wrong-key": other.sign(session)}

    @property
    def expire(self) -> bool:
        """True if a session expires."""
        return self._max_age is not None

    def _signer(self, age: float) -> Any:
        import itsdangerous

        class Aged(itsdangerous.TimestampSigner):
            def get_timestamp(self) -> int:
                return int(time.time() - age)

        return Aged(self._secret)


def sessions_of(application: Any) -> SessionCookies:
    """Return the session cookies of *application*, which has Starlette's `SessionMiddleware`.

    Raises:
        UsageError: If it has none.
    """
    from starlette.middleware.sessions import SessionMiddleware

    for middleware in getattr(application, "user_middleware", ()):
        kind, args = middleware.cls, getattr(middleware, "args", ())
        kwargs = getattr(middleware, "kwargs", None) or getattr(middleware, "options", {})  # before Starlette 0.35
        if inspect.isclass(kind) and issubclass(kind, SessionMiddleware):
            arguments = inspect.signature(SessionMiddleware.__init__).bind(None, None, *args, **kwargs).arguments
            name, max_age = arguments.get("session_cookie", "session"), arguments.get("max_age", TWO_WEEKS)
            return SessionCookies(str(arguments["secret_key"]), name, max_age)
    raise UsageError(
        "crucible_access_token returned a mapping, the contents of a session, but the application has no"
        " SessionMiddleware.",
        why="A mapping is signed as Starlette's session cookie, with the key of the middleware.",
        do="Return the credential as text: the token, or the cookie's value, and name its place in a fixture"
        ' auth_scheme: return "cookie:NAME".',
    )


def _packed(session: Mapping[str, Any]) -> bytes:
    return base64.b64encode(json.dumps(dict(session)).encode())
