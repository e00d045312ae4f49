"""Which connections ran LISTEN, through SQLAlchemy or past it: those are not handed out after the test.

The drivers let the caller choose a class: asyncpg for connections, psycopg and psycopg2 for cursors. Theirs, or the
application's own, is subclassed. A listener on SQLAlchemy's ``before_cursor_execute`` would not see what goes past it,
and would make each statement of each engine some 10 µs dearer.
"""

from __future__ import annotations

import weakref
from collections.abc import Callable
from functools import cache
from importlib import import_module
from typing import Any

# The drivers' connections on which LISTEN ran.
LISTENERS: weakref.WeakSet[Any] = weakref.WeakSet()


def noticed(driver: str, words: dict[str, Any], *, is_async: bool) -> dict[str, Any]:
    """The connect arguments *words*, with the class that notices."""
    if driver == "asyncpg":
        return words | {"connection_class": _connection_class(words.get("connection_class"))}
    return words | {"cursor_factory": _cursor_class(driver, words.get("cursor_factory"), is_async)}


@cache
def _connection_class(given: type | None) -> type:
    parent: Any = given or import_module("asyncpg").Connection

    def add_listener(self: Any, *args: Any, **words: Any) -> Any:
        __tracebackhide__ = True  # an error is shown where the driver raises it, as without Crucible
        LISTENERS.add(self)
        return parent.add_listener(self, *args, **words)

    methods = {name: _noticing(getattr(parent, name), lambda self: self) for name in ("prepare", "execute")}
    return _subclass(parent, add_listener=add_listener, **methods)


@cache
def _cursor_class(driver: str, given: type | None, is_async: bool) -> type:
    if driver == "psycopg2":
        parent: Any = given or import_module("psycopg2.extensions").cursor
    else:
        parent = given or getattr(import_module("psycopg"), "AsyncCursor" if is_async else "Cursor")
    return _subclass(parent, execute=_noticing(parent.execute, lambda cursor: cursor.connection))


def _noticing(method: Callable[..., Any], connection_of: Callable[[Any], Any]) -> Callable[..., Any]:
    """*method*, which takes a statement first; the same for coroutines, which are passed on as they are."""

    def noticing(self: Any, query: Any, *args: Any, **words: Any) -> Any:
        __tracebackhide__ = True
        if isinstance(query, str) and query.lstrip()[:6].upper() == "LISTEN":
            LISTENERS.add(connection_of(self))
        return method(self, query, *args, **words)

    return noticing


def _subclass(parent: type, **methods: Callable[..., Any]) -> type:
    """A class that shows itself as *parent*."""
    return type(
        parent.__name__,
        (parent,),
        {**methods, "__slots__": (), "__module__": parent.__module__, "__qualname__": parent.__qualname__},
    )
