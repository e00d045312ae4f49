"""The classes of the tests' sessions: SQLModel's, if the application has models of SQLModel.

SQLModel's classes add ``exec()``, and deprecate ``execute()``, which SQLAlchemy's have. The tests' sessions have both,
without a warning.
"""

from __future__ import annotations

import sys
from functools import cache
from importlib import import_module
from typing import Any

from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm import Session


def async_session_class() -> type[AsyncSession]:
    """Return the class of an asynchronous session."""
    return _async_session_class() if _is_sqlmodel_used() else AsyncSession


def sync_session_class(kind: Any = Session) -> type[Session]:
    """Return the class of a synchronous session, derived from *kind*, the application's own."""
    return _sync_session_class(kind, _is_sqlmodel_used())


def _is_sqlmodel_used() -> bool:
    model: Any = getattr(sys.modules.get("sqlmodel"), "SQLModel", None)
    return model is not None and bool(model.__subclasses__())


@cache
def _async_session_class() -> type[AsyncSession]:
    base = import_module("sqlmodel.ext.asyncio.session").AsyncSession
    attributes = {"execute": AsyncSession.execute, "sync_session_class": sync_session_class()}
    return type("AsyncSession", (base,), attributes)


@cache
def _sync_session_class(kind: Any, is_sqlmodel_used: bool) -> type[Session]:
    attributes: dict[str, Any] = {}
    bases = [kind]
    if is_sqlmodel_used:
        sqlmodel_session = import_module("sqlmodel").Session
        bases += [] if issubclass(kind, sqlmodel_session) else [sqlmodel_session]
        if kind.execute in (sqlmodel_session.execute, Session.execute):
            attributes["execute"] = Session.execute
        bases = [sqlmodel_session] if kind is Session else bases
    if kind.get_bind is not Session.get_bind:
        # A class that chooses its engine would choose one of the application's, which need not be synchronous.
        attributes["get_bind"] = Session.get_bind
    return type(kind.__name__, tuple(bases), attributes) if attributes or len(bases) > 1 else kind
