"""The objects of a session as they were at one moment, so that a rollback of the database can be followed.

Rows that were put back are the rows that these objects were loaded from. So they keep what was loaded, and an
attribute that was read before can be read again without a statement, which an asynchronous session could not send.
"""

from __future__ import annotations

import sys
from collections.abc import Mapping
from typing import Any

from sqlalchemy import inspect
from sqlalchemy.exc import InvalidRequestError
from sqlalchemy.orm import InstanceState, Session
from sqlalchemy.orm.attributes import set_committed_value

# A value that may have been changed in place is loaded again when it is read.
CHANGEABLE = (list, dict, set, bytearray)


class Contents:
    """The objects in a session, with the values of their attributes.

    Attributes:
        session: The session.
    """

    def __init__(self, session: Session) -> None:
        self.session = session
        self._loaded = {inspect(instance): _values(instance) for instance in session}

    def unflushed(self) -> list[str]:
        """Return the class of each object that the session would write at its next flush."""
        session = self.session
        changed = filter(session.is_modified, session.dirty)
        return sorted({type(instance).__name__ for instance in (*session.new, *session.deleted, *changed)})

    def restore(self) -> None:
        """Remove all other objects from the session, which has no transaction, and expire what was loaded since."""
        session = self.session
        states: list[InstanceState[Any]] = [inspect(instance) for instance in list(session)]
        for state in states:
            if state not in self._loaded and (instance := state.obj()) is not None and instance in session:
                session.expunge(instance)
        for state in states:
            if state in self._loaded and (instance := state.obj()) is not None:
                self._restore(instance, self._loaded[state])

    def _restore(self, instance: Any, values: Mapping[str, Any]) -> None:
        state: InstanceState[Any] = inspect(instance)
        if instance in self.session and not state.modified and _equals(state.dict, values):
            return  # nothing has loaded or expired it since
        try:
            if instance not in self.session:  # expunged with an object that refers to it
                self.session.add(instance)
            self.session.expire(instance)
        except InvalidRequestError:  # another object has its key
            return
        for name, value in values.items():
            set_committed_value(instance, name, value)


def _values(instance: Any) -> dict[str, Any]:
    state: InstanceState[Any] = inspect(instance)
    mutable = sys.modules.get("sqlalchemy.ext.mutable")  # which the application has imported, or has no use for
    changeable = CHANGEABLE if mutable is None else (*CHANGEABLE, mutable.MutableBase)
    attributes = state.mapper.attrs
    return {
        name: value for name, value in state.dict.items() if name in attributes and not isinstance(value, changeable)
    }


def _equals(loaded: Mapping[str, Any], values: Mapping[str, Any]) -> bool:
    """Return whether exactly *values* are *loaded*, beside SQLAlchemy's own entry."""
    return len(loaded) == len(values) + 1 and all(loaded.get(name, loaded) is value for name, value in values.items())
