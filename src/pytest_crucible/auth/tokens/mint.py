"""The application's own token function, called for a user with arguments that follow from its signature.

Crucible does not guess: a parameter whose meaning does not follow from its name or its type is an error, which shows
the wrapper to write.
"""

from __future__ import annotations

import asyncio
import inspect
from collections.abc import Callable, Mapping
from datetime import datetime, timedelta, timezone
from typing import Any

from ...errors import UsageError
from ...recipes.load import in_thread
from ...settings import Settings
from ...settings.lookup import lookup

# More than any leeway that a verifier grants.
PAST = timedelta(hours=-1)
SUBJECTS = {"sub", "subject", "identity", "user_id", "userid", "uid", "id", "pk", "user_uuid", "principal"}
CLAIMS = {"data", "payload", "claims", "to_encode", "content"}
OBJECTS = {"user", "account", "person", "member", "owner", "customer", "current_user", "db_user", "user_in"}
LIFETIMES = {"delta", "lifetime", "ttl", "max_age", "valid_for", "duration", "exp", "expires", "expiry", "expiration"}
IDENTITIES = ("id", "user_id", "uuid", "pk", "sub", "username", "email", "name")
VARIADIC = (inspect.Parameter.VAR_POSITIONAL, inspect.Parameter.VAR_KEYWORD)
UNITS = {"minute": 60, "second": 1, "hour": 3600, "day": 86400}

WRAPPER = """
# tests/tokens.py
from {module} import {name}

def mint(user, expires_delta=None):
    return {name}(…)  # as your application calls it

and crucible_access_token = "tests.tokens:mint"."""


class Mint:
    """The application's own function, which mints tokens for users.

    Args:
        function: The function that ``crucible_access_token`` names. It returns a token, or a mapping: the contents of
            the user's Starlette session.
        path: The option's value, for errors.
    """

    def __init__(self, function: Callable[..., Any], path: str) -> None:
        self.function = function
        self.path = path
        self._parameters = list(_signature(function).parameters.values())
        self._expiry = next((parameter for parameter in self._parameters if _is_lifetime(parameter)), None)

    @property
    def sets_expiry(self) -> bool:
        """True if the function takes the lifetime of a token."""
        return self._expiry is not None

    def __call__(self, user: Any, expires: timedelta | None = None) -> Any:
        """Return the function's result for *user*.

        Args:
            user: The test's user.
            expires: The lifetime, counted from now; only where `sets_expiry`.

        Raises:
            UsageError: If a parameter of the function cannot be filled in.
        """
        positional: list[Any] = []
        named: dict[str, Any] = {}
        for parameter in self._parameters:
            if parameter is self._expiry:
                if expires is None and parameter.default is not parameter.empty:
                    continue
                value = _lifetime(parameter, timedelta(hours=1) if expires is None else expires)
            elif parameter.default is not parameter.empty or parameter.kind in VARIADIC:
                continue
            else:
                value = self._argument(parameter, user)
            if parameter.kind is parameter.POSITIONAL_ONLY:
                positional.append(value)
            else:
                named[parameter.name] = value
        return finished(self.function(*positional, **named))

    def _argument(self, parameter: inspect.Parameter, user: Any) -> Any:
        name, kind = parameter.name.lower(), parameter.annotation
        if name in CLAIMS or _is_mapping(kind):
            return {"sub": str(identity(user))}
        if inspect.isclass(kind) and kind not in {str, int, object, Any} and isinstance(user, kind):
            return user
        value = _attribute(user, parameter.name)
        if value is None and (name in SUBJECTS or name.endswith("_id")):
            value = identity(user)
        if value is not None:
            return str(value) if kind is str or kind == "str" or name in {"sub", "subject"} else value
        if name in OBJECTS or name.endswith("_user"):
            return user
        raise self._unclear(parameter)

    def _unclear(self, parameter: inspect.Parameter) -> UsageError:
        module, _, name = self.path.partition(":")
        return UsageError(
            f"crucible_access_token = {self.path!r}: the meaning of its parameter {parameter.name!r} is unknown.",
            why=f"Its signature is {name}{_signature(self.function)}; Crucible passes the test's user by names such as"
            " user, user_id, subject and data, the lifetime by expires_delta, expires_in, expires_minutes.",
            do="Write a function of your tests that calls it:\n" + WRAPPER.format(module=module, name=name),
        )


def mint_of(settings: Settings) -> Mint | None:
    """Return the function that ``crucible_access_token`` names, or None if the option is not set.

    Raises:
        UsageError: If it names something that cannot be called.
    """
    path = settings.access_token
    if path is None:
        return None
    function = lookup(path, option="crucible_access_token", root=settings.root)
    if not callable(function):
        raise UsageError(
            f"crucible_access_token: {path} is {type(function).__name__}, not a function.",
            do="Name the function that makes the access token of a user.",
        )
    return Mint(function, path)


def identity(user: Any) -> Any:
    """Return the value that names *user* in a token.

    This is its ``id``, or its first attribute among the usual ones; *user* itself if it is a plain value.
    """
    if isinstance(user, (str, int)) or type(user).__name__ == "UUID":
        return user
    for name in IDENTITIES:
        value = _attribute(user, name)
        if value is not None:
            return value
    raise UsageError(
        f"test_user returns a {type(user).__name__} that has none of {', '.join(IDENTITIES)}.",
        why="Tokens name their user by one of these.",
        do='Write a function of your tests, mint(user, expires_delta=None), and name it: crucible_access_token = "'
        'tests.tokens:mint".',
    )


def finished(result: Any) -> Any:
    """Return *result*; await an awaitable first, in a thread of its own, since this one may be running a loop."""
    if not inspect.isawaitable(result):
        return result

    async def wait() -> Any:
        return await result

    return in_thread(lambda: asyncio.run(wait()), "crucible-token")


def _attribute(user: Any, name: str) -> Any:
    return user.get(name) if isinstance(user, Mapping) else getattr(user, name, None)


def _signature(function: Callable[..., Any]) -> inspect.Signature:
    try:
        return inspect.signature(function, eval_str=True)
    except Exception:  # noqa: BLE001 - an annotation that exists for type checkers only
        return inspect.signature(function)


def _is_mapping(kind: Any) -> bool:
    text = kind if isinstance(kind, str) else str(getattr(kind, "__origin__", kind))
    return kind is dict or text.lower().startswith(
        ("dict", "<class 'dict", "typing.dict", "mapping", "collections.abc.mapping", "typing.mapping")
    )


def _is_lifetime(parameter: inspect.Parameter) -> bool:
    name = parameter.name.lower()
    return name in LIFETIMES or name.startswith(("expire", "expiry", "lifetime", "ttl")) or _is_timedelta(parameter)


def _is_timedelta(parameter: inspect.Parameter) -> bool:
    return "timedelta" in str(parameter.annotation) or isinstance(parameter.default, timedelta)


def _lifetime(parameter: inspect.Parameter, lifetime: timedelta) -> Any:
    """Return *lifetime* in the form that *parameter* takes: a timedelta, a moment, or a number in the named unit."""
    name, kind = parameter.name.lower(), str(parameter.annotation)
    if _is_timedelta(parameter) or "delta" in name:
        return lifetime
    if "datetime" in kind or name in {"expires_at", "expire_at"}:
        return datetime.now(timezone.utc) + lifetime
    seconds = next((size for unit, size in UNITS.items() if unit in name), 1)
    return int(lifetime.total_seconds() / seconds)
