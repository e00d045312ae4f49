"""Storage of built objects: one INSERT for the batch, and one SELECT for the values that the database generated."""

from __future__ import annotations

import asyncio
import weakref
from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from typing import Any

from sqlalchemy import event, inspect, select, tuple_
from sqlalchemy.exc import IntegrityError
from sqlalchemy.ext.mutable import MutableBase
from sqlalchemy.orm import Mapper, Session
from sqlalchemy.orm.attributes import set_committed_value

from ...errors import UsageError
from ...errors.hints import sqlstate
from ..scope import current
from .key_columns import attribute_columns, keys_of

NOT_NULL_VIOLATION = "23502"
AT_ONCE = 5000  # keys in one SELECT; the protocol allows 32,767 parameters


class Storage:
    """The storage of a factory, as Polyfactory's ``SyncPersistenceProtocol``.

    Args:
        factory: The factory, whose ``__persistence_method__`` decides whether to commit.
    """

    def __init__(self, factory: Any) -> None:
        self.commit = commits(factory)

    def save(self, data: Any) -> Any:
        """Store one object."""
        return self.save_many([data])[0]

    def save_many(self, data: list[Any]) -> list[Any]:
        """Store a batch."""
        store(current().synchronous(), data, self.commit, lazily=True)
        return data


class AsyncStorage:
    """The storage of a factory, as Polyfactory's ``AsyncPersistenceProtocol``.

    A session serves one task at a time, so that tests may gather factories.
    """

    def __init__(self, factory: Any) -> None:
        self.commit = commits(factory)

    async def save(self, data: Any) -> Any:
        """Store one object."""
        return (await self.save_many([data]))[0]

    async def save_many(self, data: list[Any]) -> list[Any]:
        """Store a batch."""
        session = current().asynchronous()
        async with turn(session):
            await session.run_sync(store, data, self.commit)
        return data


def commits(factory: Any) -> bool:
    """Return whether *factory* commits what it stores, and does not only flush it."""
    method = getattr(factory, "__persistence_method__", None)
    return getattr(method, "value", "commit") == "commit"


_TURNS: weakref.WeakKeyDictionary[Any, tuple[Any, asyncio.Lock]] = weakref.WeakKeyDictionary()


def turn(session: Any) -> asyncio.Lock:
    """Return the lock of *session*, which serves one task at a time."""
    loop = asyncio.get_running_loop()
    if session not in _TURNS or _TURNS[session][0] is not loop:
        _TURNS[session] = (loop, asyncio.Lock())
    return _TURNS[session][1]


def store(session: Session, objects: Sequence[Any], commit: bool, *, lazily: bool = False) -> None:
    """Store *objects*, and load the stored values, so that reading them needs no further statement.

    Args:
        session: The session that stores them.
        objects: The objects to store.
        commit: True to commit, False to flush only.
        lazily: True if an object may query the database when one of its attributes is read.
    """
    session.add_all(objects)
    try:
        session.flush()
    except IntegrityError as error:
        explain(objects, error)
        raise
    # SQLAlchemy tracks in-place changes of such a value by a load event, which only a refresh fires.
    watched = {name for instance in objects for name, value in vars(instance).items() if isinstance(value, MutableBase)}
    # If the session expires what it commits, read after the commit; else before, so that no transaction stays open.
    if commit and session.expire_on_commit and lazily:
        _commit_expiring(session, objects, watched)
        return
    if commit and session.expire_on_commit:
        session.commit()
    _reread(session, objects, watched)
    if commit and not session.expire_on_commit:
        session.commit()


def explain(objects: Iterable[Any], error: IntegrityError) -> None:
    """Explain the error if a parent is missing.

    Raises:
        UsageError: If one of *objects* lacks a required foreign key.
    """
    is_null = error.orig is not None and sqlstate(error.orig) == NOT_NULL_VIOLATION
    for instance in objects if is_null else ():
        keys, values = keys_of(type(instance)), vars(instance)
        for name, nullable in keys.foreign.items():
            parents = [parent for parent, own in keys.parents.items() if name in own and values.get(parent) is not None]
            if not nullable and not parents and values.get(name) is None:
                raise _no_parent(type(instance), name) from error


def _no_parent(model: type, name: str) -> UsageError:
    own = attribute_columns(model, name)
    refers = ", ".join(sorted({key.target_fullname for column in own for key in column.foreign_keys}))
    return UsageError(
        f"{model.__name__}.{name} refers to {refers}, may not be NULL, and was not given.",
        why="Crucible draws no foreign keys, since a random number refers to no row; and the model has no relationship"
        " through which the factory could make a parent.",
        do=f"Give it, as in create_async({name}=parent.id), or map a relationship to the parent.",
    )


def _commit_expiring(session: Session, objects: Sequence[Any], watched: set[str]) -> None:
    """Commit *objects*, which the session expires, so that a later commit of the application is visible.

    A single object queries the database when it is next used. A batch would send one query for each object, so it is
    read in one statement before the commit, and expires when the session next queries the database.
    """
    rows = list(_rows(session, objects)) if len(objects) > 1 else []
    session.commit()
    for instance, values in rows:
        for name, value in values.items():
            if name not in watched:
                set_committed_value(instance, name, value)

    def expire(_: object) -> None:
        for instance, _values in rows:
            if instance in session and instance not in session.dirty:
                session.expire(instance)

    if rows:
        event.listen(session, "do_orm_execute", expire, once=True)


def _reread(session: Session, objects: Iterable[Any], watched: set[str]) -> None:
    """Read the columns again; a refresh would unload the relationships, and send one query for each object."""
    for instance, values in _rows(session, objects):
        _set(session, instance, values, watched)


def _rows(session: Session, objects: Iterable[Any]) -> Iterator[tuple[Any, dict[str, Any]]]:
    by_mapper: dict[Mapper[Any], list[Any]] = defaultdict(list)
    for instance in objects:
        by_mapper[inspect(instance).mapper].append(instance)
    for mapper, stored in by_mapper.items():
        for first in range(0, len(stored), AT_ONCE):
            yield from _read(session, mapper, stored[first : first + AT_ONCE])


def _read(session: Session, mapper: Mapper[Any], objects: list[Any]) -> Iterator[tuple[Any, dict[str, Any]]]:
    keys = [mapper.get_property_by_column(column).key for column in mapper.primary_key]
    names = [*keys, *(each.key for each in mapper.column_attrs if not each.deferred and each.key not in keys)]
    attributes = [getattr(mapper.class_, name) for name in names]
    by_identity = {inspect(instance).identity: instance for instance in objects}
    if len(keys) == 1:
        matching = attributes[0].in_([identity[0] for identity in by_identity])
    else:
        matching = tuple_(*attributes[: len(keys)]).in_(list(by_identity))
    for row in session.execute(select(*attributes).where(matching)):
        instance = by_identity.get(tuple(row[: len(keys)]))
        if instance is not None:
            yield instance, dict(zip(names, row, strict=True))


def _set(session: Session, instance: Any, values: dict[str, Any], watched: set[str]) -> None:
    for name, value in values.items():
        if name not in watched:
            set_committed_value(instance, name, value)
    changed = [name for name in watched & values.keys() if vars(instance).get(name) != values[name]]
    if changed:
        session.refresh(instance, changed)
