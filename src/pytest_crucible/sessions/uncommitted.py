"""Rows that a failed test did not commit: the application, which has sessions of its own, cannot see them.

The sessions that begin a transaction and the rows that they flush are noted while tests run, at some microseconds each;
the rest is examined only if a test fails. A session that a ``with`` block of the test closed, because the error went
through it, counts as well: it is found in the variables of the error's frames.
"""

from __future__ import annotations

import weakref
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from sqlalchemy import event, inspect
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm import Session, SessionTransaction

UNFLUSHED, FLUSHED, ROLLED_BACK = "added, not flushed", "flushed, not committed", "flushed, rolled back"


class Row(NamedTuple):
    """A mapped object that a session wrote."""

    model: str
    instance: Callable[[], Any]


@dataclass
class Record:
    """The rows that a session flushed in its transaction, and those added to it that it dropped unflushed."""

    transaction: Callable[[], SessionTransaction | None]
    flushed: list[Row] = field(default_factory=list)
    dropped: list[str] = field(default_factory=list)


class Uncommitted:
    """Listeners on all sessions of the process, which note rows that are not committed."""

    def __init__(self) -> None:
        self._records: weakref.WeakKeyDictionary[Session, Record] = weakref.WeakKeyDictionary()
        self._begun: weakref.WeakSet[Session] = weakref.WeakSet()
        self._listeners = (
            ("after_transaction_create", self._created),
            ("after_flush", self._flushed),
            ("after_commit", self._committed),
            ("pending_to_transient", self._dropped),
        )

    def install(self) -> None:
        """Start listening."""
        for name, listener in self._listeners:
            event.listen(Session, name, listener)

    def remove(self) -> None:
        """Stop listening."""
        for name, listener in self._listeners:
            if event.contains(Session, name, listener):
                event.remove(Session, name, listener)

    def begin(self) -> None:
        """Forget the rows of earlier tests, except those whose transactions are still open."""
        self._begun.clear()
        if not self._records:
            return
        for session, record in list(self._records.items()):
            if not _is_open(session, record):
                del self._records[session]

    def describe(self, named: Mapping[str, object]) -> list[str]:
        """Return a line for each session with rows that are not committed.

        Args:
            named: The test's fixtures and variables by their names. A closed session counts if it is one of them.
        """
        names = {id(session): (name, value) for name, value in named.items() if (session := _session(value))}
        return [
            line
            for session in dict.fromkeys([*self._records, *self._begun])
            if (rows := self._rows(session, is_named=id(session) in names))
            for line in _lines(rows, *names.get(id(session), ("", None)))
        ]

    # -- events ------------------------------------------------------------------------------------------------------

    def _created(self, session: Session, transaction: SessionTransaction) -> None:
        if transaction.parent is None:
            self._begun.add(session)

    def _flushed(self, session: Session, _: object) -> None:
        record = self._record(session)
        for instance in (*session.new, *session.deleted, *filter(session.is_modified, session.dirty)):
            record.flushed.append(Row(type(instance).__name__, weakref.ref(instance)))

    def _committed(self, session: Session) -> None:
        if not session.in_nested_transaction():
            self._records.pop(session, None)

    def _dropped(self, session: Session, instance: object) -> None:
        self._record(session).dropped.append(type(instance).__name__)

    def _record(self, session: Session) -> Record:
        transaction, record = session.get_transaction(), self._records.get(session)
        # A session that is being closed drops its new objects while its transaction is about to end.
        if record is None or (transaction is not None and record.transaction() is not transaction):
            reference = (lambda: None) if transaction is None else weakref.ref(transaction)
            record = self._records[session] = Record(reference)
        return record

    # -- rows --------------------------------------------------------------------------------------------------------

    def _rows(self, session: Session, *, is_named: bool) -> Counter[tuple[str, str]]:
        rows = Counter((type(instance).__name__, UNFLUSHED) for instance in session.new)
        rows.update((type(instance).__name__, "deleted, not flushed") for instance in session.deleted)
        changed = filter(session.is_modified, session.dirty)
        rows.update((type(instance).__name__, "changed, not flushed") for instance in changed)
        record = self._records.get(session)
        if record is not None and _is_open(session, record):
            rows.update((row.model, FLUSHED) for row in record.flushed if _is_written(row))
        elif record is not None and is_named:
            rows.update((row.model, ROLLED_BACK) for row in record.flushed)
            rows.update((model, UNFLUSHED) for model in record.dropped)
        return rows


def _is_open(session: Session, record: Record) -> bool:
    transaction = record.transaction()
    return transaction is not None and session.get_transaction() is transaction


def _is_written(row: Row) -> bool:
    """Return whether the row is still written: no rollback to a savepoint has undone it."""
    instance = row.instance()
    return instance is None or not inspect(instance).transient


def _session(value: object) -> Session | None:
    if isinstance(value, AsyncSession):
        return value.sync_session
    return value if isinstance(value, Session) else None


def _lines(rows: Counter[tuple[str, str]], name: str, session: object) -> Iterator[str]:
    listed = ", ".join(f"{count} {model} ({state})" for (model, state), count in rows.items())
    yield f"not visible to the application: {listed}" + (f", in {name}" if name else "")
    commit = f"{name or 'session'}.commit()"
    if isinstance(session, AsyncSession):
        commit = f"await {commit}"
    yield f"  The application has sessions of its own and sees what is committed: `{commit}` before it is called."
