"""Subclasses of the drivers' classes that note how each statement changes the state of its session.

They see statements through SQLAlchemy and past it. The drivers let the caller choose a class: asyncpg and psycopg2 for
connections, psycopg and psycopg2 for cursors. The driver's class, or the application's own, is subclassed. A listener
on SQLAlchemy's ``before_cursor_execute`` would not see statements past SQLAlchemy, and would make each statement of
each engine some 10 µs slower.

A statement is noted before it runs: if it fails, its transaction is rolled back, and that is noted too.
"""

from __future__ import annotations

import asyncio
import weakref
from collections.abc import Callable, Iterator, Mapping
from contextlib import suppress
from functools import cache
from importlib import import_module
from typing import Any

from .drivers import in_transaction
from .session_state import End, SessionState, StateChange, Step
from .statements import steps_in
from .stepping import TRANSPORTS

# By the driver's connection; only those whose state a statement has changed.
STATES: weakref.WeakKeyDictionary[Any, SessionState] = weakref.WeakKeyDictionary()


def watched(driver: str, kwargs: dict[str, Any], *, is_async: bool) -> dict[str, Any]:
    """Return the connect arguments *kwargs* with classes that see each statement."""
    if driver == "asyncpg":
        return kwargs | {"connection_class": _asyncpg_connection(kwargs.get("connection_class"))}
    factory, connection_factory = kwargs.get("cursor_factory"), kwargs.get("connection_factory")
    if not _is_class(factory) or not _is_class(connection_factory) or (connection_factory and not factory):
        return kwargs  # a function of the application's, or a connection that chooses its cursors itself
    kwargs = kwargs | {"cursor_factory": _cursor(driver, factory, is_async)}
    if driver == "psycopg2":
        parent: Any = connection_factory or import_module("psycopg2.extensions").connection
        kwargs["connection_factory"] = _committing(parent)
    return kwargs


def watch(driver: str, connection: Any) -> None:
    """Note the ends of transactions on *connection*, whose class could not be chosen."""
    if driver == "psycopg":
        cls: Any = type(connection)
        connection.__class__ = _committing(cls)


def _is_class(factory: object) -> bool:
    return factory is None or isinstance(factory, type)


# -- classes ---------------------------------------------------------------------------------------------------------


@cache
def _asyncpg_connection(own: type | None) -> type:
    parent: Any = own or import_module("asyncpg").Connection
    names = ("execute", "executemany", "fetch", "fetchrow", "fetchval")
    methods = {name: _noting(getattr(parent, name), lambda self: self) for name in names}
    for name, value in (("add_listener", "on"), ("remove_listener", None)):
        methods[name] = _calling_back(getattr(parent, name), value)
    return _subclass(parent, __init__=_with_transport(parent.__init__), prepare=_preparing(parent.prepare), **methods)


@cache
def _cursor(driver: str, own: type | None, is_async: bool) -> type:
    if driver == "psycopg2":
        parent: Any = own or import_module("psycopg2.extensions").cursor
    else:
        parent = own or getattr(import_module("psycopg"), "AsyncCursor" if is_async else "Cursor")
    return _subclass(parent, execute=_noting(parent.execute, lambda cursor: cursor.connection))


@cache
def _committing(parent: Any) -> type:
    commit, rollback = _ending(parent.commit, End.COMMIT), _ending(parent.rollback, End.ROLLBACK)
    return _subclass(parent, commit=commit, rollback=rollback)


def _subclass(parent: type, **methods: Callable[..., Any]) -> type:
    """Return a subclass of *parent* with its name and module."""
    return type(
        parent.__name__,
        (parent,),
        {**methods, "__slots__": (), "__module__": parent.__module__, "__qualname__": parent.__qualname__},
    )


# -- methods; coroutines are returned unawaited ------------------------------------------------------------------------


def _with_transport(init: Callable[..., None]) -> Callable[..., None]:
    """Return the constructor *init* of asyncpg's connection, noting the transport among its arguments."""

    def initialised(self: Any, *args: Any, **kwargs: Any) -> None:
        for argument in (*args, *kwargs.values()):
            if isinstance(argument, asyncio.Transport):
                TRANSPORTS[self] = weakref.ref(argument)
        init(self, *args, **kwargs)

    return initialised


def _noting(method: Callable[..., Any], connection_of: Callable[[Any], Any]) -> Callable[..., Any]:
    """Return *method*, whose first argument is a statement, noting that statement."""

    def noting(self: Any, query: Any, *args: Any, **kwargs: Any) -> Any:
        __tracebackhide__ = True  # an error is shown at the driver's frame, or, with psycopg2, at the caller's
        steps = steps_in(query if type(query) is str else _text(query, self))
        if steps:
            _note(connection_of(self), steps, *args, *kwargs.values())
        return method(self, query, *args, **kwargs)

    return noting


def _preparing(method: Callable[..., Any]) -> Callable[..., Any]:
    """Return *method*, which prepares a statement, noting each run of that statement."""

    async def prepared(self: Any, query: str, steps: tuple[Step, ...], args: Any, kwargs: Any) -> Any:
        __tracebackhide__ = True
        return _Prepared(await method(self, query, *args, **kwargs), self, steps)

    def preparing(self: Any, query: str, *args: Any, **kwargs: Any) -> Any:
        __tracebackhide__ = True
        steps = steps_in(query)
        return prepared(self, query, steps, args, kwargs) if steps else method(self, query, *args, **kwargs)

    return preparing


def _calling_back(method: Callable[..., Any], value: str | None) -> Callable[..., Any]:
    """Return *method*, which adds or removes a callback, noting it: asyncpg keeps it if the LISTEN is rolled back."""

    def calling_back(self: Any, channel: str, callback: Any) -> Any:
        __tracebackhide__ = True
        _note(self, (StateChange(f"CALLBACK {channel} {id(callback)}", value, at_once=True),))
        return method(self, channel, callback)

    return calling_back


def _ending(method: Callable[..., Any], how: End) -> Callable[..., Any]:
    """Return *method*, which ends a transaction, noting that end."""

    def ending(self: Any) -> Any:
        __tracebackhide__ = True
        state = STATES.get(self)
        if state is not None:
            state.end(how)
        return method(self)

    return ending


class _Prepared:
    """A prepared statement of asyncpg that changes the session's state each time it runs.

    SQLAlchemy keeps prepared statements, and runs them again without a call of the connection.
    """

    def __init__(self, statement: Any, connection: Any, steps: tuple[Step, ...]) -> None:
        self._statement = statement
        self._connection = connection
        self._steps = steps

    @property  # type: ignore[misc] # a proxy of the statement
    def __class__(self) -> type:
        return type(self._statement)

    def __getattr__(self, name: str) -> Any:
        attribute = getattr(self._statement, name)
        if name not in ("cursor", "execute", "executemany", "explain", "fetch", "fetchmany", "fetchrow", "fetchval"):
            return attribute

        def run(*args: Any, **kwargs: Any) -> Any:
            __tracebackhide__ = True
            _note(self._connection, self._steps, *args)
            return attribute(*args, **kwargs)

        return run


# -- statements ------------------------------------------------------------------------------------------------------


def _text(query: Any, cursor: Any) -> str:
    """Return the text of *query*, which may be composed (``psycopg.sql``, ``psycopg2.sql``), or bytes."""
    if isinstance(query, bytes):
        return query.decode("utf-8", "replace")
    with suppress(Exception):  # the driver raises it itself
        return str(query.as_string(cursor))
    return query if isinstance(query, str) else ""


def _note(connection: Any, steps: tuple[Step, ...], *parameters: Any) -> None:
    state = STATES.setdefault(connection, SessionState())
    state.note(steps, list(_flat(parameters)), in_transaction=_in_transaction(connection))


def _in_transaction(connection: Any) -> bool:
    """Return whether a statement that runs now is part of a transaction."""
    return not getattr(connection, "autocommit", True) or in_transaction(connection)


def _flat(parameters: Any) -> Iterator[Any]:
    for value in parameters:
        if isinstance(value, Mapping):
            yield from value.values()
        elif isinstance(value, list | tuple):
            yield from value
        else:
            yield value
