"""Sessions that join the outer transaction at their first statement."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from functools import wraps
from typing import TYPE_CHECKING, Any, Protocol

from sqlalchemy.engine import Connection, Engine
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm import Session, SessionTransaction

from ..errors import IsolationError
from .savepoints import RESET
from .turns import Turns

if TYPE_CHECKING:
    from sqlalchemy.engine.interfaces import CoreExecuteOptionsParameter


class Outer(Protocol):
    """What a session asks of the outer transaction."""

    turns: Turns

    def joined_by(self, session: Session) -> Connection:
        """The connection, with the outer transaction on it."""

    def found(self, error: IsolationError) -> IsolationError:
        """Remember *error*, which the application may swallow."""


class JoinedSession(Session):
    """A session within the outer transaction.

    It has no bind before its first statement: connecting is asynchronous for some drivers, and a fixture is not.
    """

    def __init__(self, outer: Outer, **words: Any) -> None:
        super().__init__(join_transaction_mode="create_savepoint", **words)
        self.outer = outer

    def get_bind(self, mapper: Any = None, *, bind: Engine | Connection | None = None, **words: Any) -> Any:
        """The one connection; opens it at the first call."""
        return self.outer.joined_by(self) if bind is None else bind

    def add(self, instance: object, **words: Any) -> None:
        """Put *instance* into the session, unless another task is in the middle of a flush, say."""
        self.outer.turns.check()
        super().add(instance, **words)

    def begin(self, nested: bool = False) -> SessionTransaction:
        """Begin a transaction.

        Raises:
            IsolationError: If the session, which the test and the application share, is in one already.
        """
        if not nested and self.in_transaction():
            raise self.outer.found(_begun())
        return super().begin(nested)

    def connection(
        self,
        bind_arguments: Any = None,
        execution_options: CoreExecuteOptionsParameter | None = None,
    ) -> Connection:
        """The one connection.

        Raises:
            IsolationError: If a level of isolation is asked for.
        """
        if execution_options and "isolation_level" in execution_options:
            raise self.outer.found(_level(execution_options["isolation_level"]))
        return super().connection(bind_arguments, execution_options)


def _in_turn(method: Callable[..., Awaitable[Any]]) -> Callable[..., Awaitable[Any]]:
    """*method* of an AsyncSession, by one task at a time."""

    @wraps(method)
    async def taking_turns(self: JoinedAsyncSession, *arguments: Any, **words: Any) -> Any:
        with self.sync_session.outer.turns.turn():
            return await method(self, *arguments, **words)

    return taking_turns


class JoinedAsyncSession(AsyncSession):
    """An asynchronous session within the outer transaction, by one task at a time."""

    sync_session: JoinedSession


for _name in (
    "close",
    "commit",
    "connection",
    "delete",
    "execute",
    "flush",
    "get",
    "get_one",
    "merge",
    "refresh",
    "reset",
    "rollback",
    "run_sync",
    "scalar",
    "scalars",
    "stream",
    "stream_scalars",
):
    setattr(JoinedAsyncSession, _name, _in_turn(getattr(AsyncSession, _name)))


def _begun() -> IsolationError:
    return IsolationError(
        "session.begin() was called on a session whose transaction has begun already.",
        why="In rollback isolation the test and the application share db_session, and the test has used it before"
        " (a SELECT is enough). In production the application has a session of its own, which is fresh.",
        do=f"Write `await db_session.commit()` in the test before the application is called. {RESET}",
    )


def _level(level: object) -> IsolationError:
    return IsolationError(
        f"The isolation level {level!r} was asked for on db_session.",
        why="In rollback isolation every transaction of a test is a part of one that has begun already, and its level"
        " cannot be changed any more.",
        do=RESET,
    )
