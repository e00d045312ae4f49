"""The key that a token was signed with, found by trying what the token function can reach.

A signature that verifies is proof: nothing else than the key can have made it. So what is found is never a guess.
"""

from __future__ import annotations

import functools
import inspect
import os
import sys
from collections.abc import Callable, Iterator
from typing import Any

DEEPEST = 3


def key_of(token: str, function: Callable[..., Any] | None) -> Any:
    """The key that signed the JSON web token *token*, or None if it is not within reach.

    Args:
        token: A JSON web token.
        function: The function that made it: its module's globals and its closure are looked through, settings objects
            among them, and the environment.
    """
    algorithm = _algorithm(token)
    message, _, signature = token.rpartition(".")
    for candidate in _candidates(function):
        if _verifies(algorithm, candidate, message.encode(), signature):
            return candidate
    return None


def _algorithm(token: str) -> Any:
    import jwt

    return jwt.get_algorithm_by_name(jwt.get_unverified_header(token)["alg"])


def _verifies(algorithm: Any, candidate: str | bytes, message: bytes, signature: str) -> bool:
    from jwt.utils import base64url_decode

    try:
        key = algorithm.prepare_key(candidate)
        public = key.public_key() if hasattr(key, "public_key") else key
        # A public key verifies too, and cannot sign.
        signs = isinstance(key, bytes) or hasattr(key, "sign")
        return signs and bool(algorithm.verify(message, public, base64url_decode(signature)))
    except Exception:  # noqa: BLE001 - whatever is no key for this algorithm
        return False


def _candidates(function: Callable[..., Any] | None) -> Iterator[str | bytes]:
    """Every text within reach, the nearest first."""
    seen: set[int] = set()
    unwrapped = inspect.unwrap(function) if function is not None else None
    while isinstance(unwrapped, functools.partial):
        yield from _texts(list(unwrapped.keywords.values()) + list(unwrapped.args), seen)
        unwrapped = unwrapped.func
    yield from _texts(getattr(unwrapped, "__self__", None), seen)
    with_globals = inspect.unwrap(getattr(unwrapped, "__func__", unwrapped)) if unwrapped is not None else None
    if inspect.isfunction(with_globals):
        found = inspect.getclosurevars(with_globals)
        yield from _texts([*found.nonlocals.values(), *found.globals.values()], seen)
        yield from _texts(list(vars(sys.modules[with_globals.__module__]).values()), seen)
        yield from _texts(list(with_globals.__kwdefaults__ or {}) + list(with_globals.__defaults__ or ()), seen)
    yield from os.environ.values()


def _texts(value: Any, seen: set[int], depth: int = 0) -> Iterator[str | bytes]:
    if isinstance(value, (str, bytes)):
        yield value
        return
    if value is None or id(value) in seen or depth > DEEPEST or isinstance(value, type(os)):
        return
    seen.add(id(value))
    if hasattr(value, "get_secret_value"):
        yield from _texts(value.get_secret_value(), seen, depth)
    elif isinstance(value, (list, tuple, set)):
        for one in value:
            yield from _texts(one, seen, depth + 1)
    elif isinstance(value, dict):
        yield from _texts(list(value.values()), seen, depth)
    elif not callable(value) or isinstance(value, type):
        yield from _texts(list(getattr(value, "__dict__", {}).values()), seen, depth)
    elif inspect.isfunction(value) and hasattr(value, "__wrapped__"):
        return
