"""Clients of users. No client shares a header or a cookie with another."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from .. import app
from ..errors import UsageError
from .schemes import Credentials, carry
from .tokens.tokens import Tokens

NO_USER = UsageError(
    "A test needs test_user, and the project does not define this fixture.",
    why="Every application has its own kind of user: Crucible cannot make one up.",
    do="Write the fixture in your conftest.py, and commit, so that the application finds the user:\n\n"
    "@pytest.fixture\n"
    "async def test_user(db_session):\n"
    '    user = User(email="ada@example.org")\n'
    "    db_session.add(user)\n"
    "    await db_session.commit()\n"
    "    return user\n",
)


class Clients:
    """The factory of one application's clients.

    Args:
        application: The application, whose lifespan runs.
        make: Makes a client of an application with headers, cookies and query parameters of its own.
        tokens: The application's tokens.
        application_as: Where users come from a dependency and not from a token: the application as a user sees it.
    """

    def __init__(
        self,
        application: Any,
        make: Callable[[Any, Credentials], Any],
        tokens: Tokens,
        application_as: Callable[[Any], Any] | None = None,
    ) -> None:
        self._application = application
        self._make = make
        self._tokens = tokens
        self._application_as = application_as

    @property
    def needs_token(self) -> bool:
        """True if the application knows a user by a token."""
        return self._application_as is None

    def __call__(self, user: Any) -> Any:
        """Return a new client that sends requests as *user*."""
        if self._application_as is not None:
            return self._make(self._application_as(user), Credentials())
        return self.carrying(self._tokens.good(user))

    def carrying(self, token: str | None) -> Any:
        """Return a new client that carries *token* wherever the application takes it."""
        return self._make(self._application, carry(token, self._tokens.schemes() if token is not None else ()))


def asynchronous_client(options: dict[str, Any], application: Any, credentials: Credentials) -> Any:
    """Return an ``httpx.AsyncClient`` made with *options*; it also carries *credentials*."""
    return app.client(application, **{**options, **_merged(options, credentials)})


def synchronous_client(options: dict[str, Any], application: Any, credentials: Credentials) -> Any:
    """Return Starlette's ``TestClient`` that carries *credentials*, with those of *options* that it supports."""
    from starlette.testclient import TestClient

    merged = _merged(options, credentials)
    known = {name: options[name] for name in ("base_url", "root_path", "follow_redirects", "client") if name in options}
    client = TestClient(
        application,
        headers=merged["headers"],
        cookies=merged["cookies"],
        raise_server_exceptions=options.get("raise_app_exceptions", True),
        **{"base_url": app.BASE_URL, **known},
    )
    client.params = merged["params"]
    return client


def _merged(options: dict[str, Any], credentials: Credentials) -> dict[str, dict[str, str]]:
    return {
        "headers": {**(options.get("headers") or {}), **credentials.headers},
        "cookies": {**(options.get("cookies") or {}), **credentials.cookies},
        "params": {**(options.get("params") or {}), **credentials.query},
    }
