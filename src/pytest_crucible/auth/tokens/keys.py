"""The key that a token was signed with, found by trying every text that the token function can reach.

A signature that verifies is proof: only the key can have made it. So the result is never a guess.
"""

from __future__ import annotations

import functools
import inspect
import os
import sys
from collections.abc import Callable, Iterator
from contextlib import suppress
from types import ModuleType
from typing import Any

# The levels on the way: a list of globals, a module, its settings, a section of them, a secret in it.
DEEPEST = 6


def key_of(token: str, function: Callable[..., Any] | None) -> Any:
    """Return the key that signed the JSON web token *token*, or None if it is not within reach.

    Args:
        token: A JSON web token.
        function: The function that made it. The search covers its module's globals and its closure, settings objects
            among them, and the environment.
    """
    import jwt

    algorithm = jwt.get_algorithm_by_name(jwt.get_unverified_header(token)["alg"])
    message, _, signature = token.rpartition(".")
    symmetric = jwt.get_unverified_header(token)["alg"].startswith("HS")
    for candidate in _candidates(function):
        if (symmetric or _is_pem(candidate)) and _verifies(algorithm, candidate, message.encode(), signature):
            return candidate
    return None


def _is_pem(text: str | bytes) -> bool:
    return (b"-----BEGIN" if isinstance(text, bytes) else "-----BEGIN") in text  # type: ignore[operator]


def _verifies(algorithm: Any, candidate: str | bytes, message: bytes, signature: str) -> bool:
    from jwt.utils import base64url_decode

    try:
        key = algorithm.prepare_key(candidate)
        public = key.public_key() if hasattr(key, "public_key") else key
        # A public key verifies as well, but cannot sign.
        signs = isinstance(key, bytes) or hasattr(key, "sign")
        return signs and bool(algorithm.verify(message, public, base64url_decode(signature)))
    except Exception:  # noqa: BLE001 - whatever is no key for this algorithm
        return False


def _candidates(function: Callable[..., Any] | None) -> Iterator[str | bytes]:
    """Yield every text within reach, the nearest first."""
    seen: dict[int, Any] = {}  # kept, or another object might come to have the same id
    unwrapped = inspect.unwrap(function) if function is not None else None
    while isinstance(unwrapped, functools.partial):
        yield from _texts(list(unwrapped.keywords.values()) + list(unwrapped.args), seen)
        unwrapped = unwrapped.func
    yield from _texts(getattr(unwrapped, "__self__", None), seen)
    with_globals = inspect.unwrap(getattr(unwrapped, "__func__", unwrapped)) if unwrapped is not None else None
    if inspect.isfunction(with_globals):
        variables = inspect.getclosurevars(with_globals)
        yield from _texts([*variables.nonlocals.values(), *variables.globals.values()], seen)
        yield from _texts(list(vars(sys.modules[with_globals.__module__]).values()), seen)
        yield from _texts([*(with_globals.__kwdefaults__ or {}).values(), *(with_globals.__defaults__ or ())], seen)
    yield from os.environ.values()


def _texts(value: Any, seen: dict[int, Any], depth: int = 0) -> Iterator[str | bytes]:
    if isinstance(value, (str, bytes)):
        yield value
        return
    if value is None or id(value) in seen or depth > DEEPEST or (depth > 1 and isinstance(value, ModuleType)):
        return
    seen[id(value)] = value
    for inner in _inside(value):
        yield from _texts(inner, seen, depth + 1)


def _inside(value: Any) -> list[Any]:
    """Return the values inside *value*, without running code of its own that would compute them."""
    if isinstance(value, dict):
        return list(value.values())
    if isinstance(value, (list, tuple, set)):
        return list(value)
    if not isinstance(value, type):
        if _has(value, "get_secret_value"):
            return [value.get_secret_value()]
        if _has(value, "cache_info"):
            # get_settings() under functools.cache: the call returns the stored result.
            with suppress(TypeError):
                return [value()] if value.cache_info().currsize == 1 else []
        if callable(value):
            return []
    return list(getattr(value, "__dict__", {}).values())


def _has(value: Any, name: str) -> bool:
    """Return whether *value* has the attribute *name*, statically: ``pytest.mark`` and the like have every name."""
    return inspect.getattr_static(value, name, None) is not None
