"""Which classes the sessions of the tests have: SQLModel's, where the application has models of SQLModel.

Those add ``exec()``, and warn of ``execute()``, which SQLAlchemy's own have: here both are there, without a warning.
"""

from __future__ import annotations

import sys
from functools import cache
from importlib import import_module
from typing import Any

from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm import Session


def async_session_class() -> type[AsyncSession]:
    """The class of an asynchronous session."""
    return _async_session_class() if _is_sqlmodel_used() else AsyncSession


def sync_session_class(kind: Any = Session) -> type[Session]:
    """The class of a synchronous session, derived from *kind*, the application's own."""
    return _sync_session_class(kind, _is_sqlmodel_used())


def _is_sqlmodel_used() -> bool:
    model: Any = getattr(sys.modules.get("sqlmodel"), "SQLModel", None)
    return model is not None and bool(model.__subclasses__())


@cache
def _async_session_class() -> type[AsyncSession]:
    theirs = import_module("sqlmodel.ext.asyncio.session").AsyncSession
    words = {"execute": AsyncSession.execute, "sync_session_class": sync_session_class()}
    return type("AsyncSession", (theirs,), words)


@cache
def _sync_session_class(kind: Any, is_sqlmodel_used: bool) -> type[Session]:
    words: dict[str, Any] = {}
    bases = [kind]
    if is_sqlmodel_used:
        theirs = import_module("sqlmodel").Session
        bases += [] if issubclass(kind, theirs) else [theirs]
        if kind.execute in (theirs.execute, Session.execute):
            words["execute"] = Session.execute
        bases = [theirs] if kind is Session else bases
    if kind.get_bind is not Session.get_bind:
        # A class that chooses its engine would choose one of the application's, which need not be synchronous.
        words["get_bind"] = Session.get_bind
    return type(kind.__name__, tuple(bases), words) if words or len(bases) > 1 else kind
