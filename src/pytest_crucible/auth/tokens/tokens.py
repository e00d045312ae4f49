"""The tokens of a user of the application: good, expired, and bad ones that must be refused."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Collection
from typing import Any

from ...errors import UsageError
from ..routes import schemes_of
from ..schemes import Scheme, read_scheme, the_one
from .bad import MALFORMED, bad_tokens, expired_token, expiry, is_jwt
from .mint import PAST, Mint
from .session_cookies import SessionCookies, sessions_of


class NoToken(UsageError):
    """The error for a token that does not exist and cannot be made."""


class Tokens:
    """Tokens for users of one application.

    Args:
        application: A function that returns the ASGI application, called only where it is needed.
        mint: The application's own token function, or None if ``crucible_access_token`` is not set.
        scheme: The value of the fixture ``auth_scheme``, or None.
    """

    def __init__(self, application: Callable[[], Any], mint: Mint | None, scheme: str | None = None) -> None:
        self._application = application
        self._mint = mint
        self._scheme = scheme
        self._sessions: SessionCookies | None = None

    def good(self, user: Any) -> str:
        """Return a token by which the application knows *user*.

        Raises:
            NoToken: If the application's function is not known.
        """
        return self._signed(self._need_mint()(user))

    def expired(self, user: Any) -> str:
        """Return a token of *user* that expired an hour ago.

        Raises:
            NoToken: If the application's function is not known, or takes no lifetime and its key is out of reach.
        """
        mint = self._need_mint()
        minted = mint(user, PAST) if mint.sets_expiry else mint(user)
        if isinstance(minted, dict):
            sessions = self._need_sessions()
            token = sessions.sign(minted, PAST) if sessions.expire else None
        elif mint.sets_expiry:
            token = self._signed(minted)
        else:
            token = expired_token(self._signed(minted), mint.function)
        if token is None:
            raise _never_expires(mint)
        if is_jwt(token) and (expiry(token) or math.inf) > time.time():
            raise NoToken(
                f"No expired token can be made: {mint.path} should make one that expired an hour ago, but makes one"
                " that is still valid.",
                why="It sets no time of expiry (the claim exp), or corrects one that lies in the past.",
                do="Let its tokens expire. If they do, write a function of your tests, mint(user, expires_delta=None),"
                ' and name it: crucible_access_token = "tests.tokens:mint".',
            )
        return token

    def bad(self, good: str, malformed: str = MALFORMED, expired: str | None = None) -> dict[str, str]:
        """Return tokens that must be refused, by the names of their faults; see `bad_tokens`."""
        if self._sessions is None:
            tokens = bad_tokens(good, function=self._mint.function if self._mint else None)
        else:
            tokens = self._sessions.bad(good)
        return tokens | {"malformed": malformed} | ({"expired": expired} if expired else {})

    def schemes(self) -> list[Scheme]:
        """Return the schemes by which a token is carried.

        Raises:
            UsageError: If the application takes credentials in several ways.
        """
        return self.extra() or the_one(schemes_of(self._application()))

    def fit(self, schemes: Collection[Scheme]) -> bool:
        """Return whether a route with *schemes* takes a user's token, and not only a key of another kind."""
        own = self.extra() or list(dict.fromkeys(schemes_of(self._application())))
        if len(own) > 1:
            own = [scheme for scheme in own if not scheme.is_key]
        return not schemes or any(not scheme.is_key or scheme in own for scheme in schemes)

    def extra(self) -> list[Scheme]:
        """Return the scheme that no route declares: the one that the project names, or the session's cookie."""
        if self._scheme is not None:
            return [read_scheme(self._scheme, schemes_of(self._application()))]
        return [Scheme("cookie", self._sessions.cookie)] if self._sessions is not None else []

    def _signed(self, minted: Any) -> str:
        if isinstance(minted, (str, bytes)):
            return minted.decode() if isinstance(minted, bytes) else minted
        if isinstance(minted, dict):
            return self._need_sessions().sign(minted)
        raise UsageError(
            f"crucible_access_token: the function returned {type(minted).__name__}.",
            why="It must return a token as text, or a dict: the contents of a Starlette session.",
            do="Write a function of your tests that extracts the text, mint(user, expires_delta=None), and name"
            ' it: crucible_access_token = "tests.tokens:mint".',
        )

    def _need_sessions(self) -> SessionCookies:
        self._sessions = self._sessions or sessions_of(self._application())
        return self._sessions

    def _need_mint(self) -> Mint:
        if self._mint is None:
            raise NoToken(
                "A test needs a token, but crucible_access_token is not set.",
                why="Crucible mints tokens by the application's own function.",
                do='Name it beside crucible_metadata: crucible_access_token = "app.security:create_access_token". Or'
                " override the fixture access_token, with one that logs in. For an application without tokens override"
                " the fixture current_user_dependency.",
            )
        return self._mint


def _never_expires(mint: Mint) -> NoToken:
    return NoToken(
        f"No expired token can be made: {mint.path} takes no lifetime, and its signing key was not found.",
        why="Crucible looked for a parameter such as expires_delta or expires_minutes, and for a key that verifies its"
        " tokens in the globals of its module, its settings objects and the environment.",
        do="Write a function of your tests, mint(user, expires_delta=None), that passes the lifetime on, and name it:"
        ' crucible_access_token = "tests.tokens:mint". Or override the fixture expired_token.',
    )
