"""Sessions that join the outer transaction at their first statement."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache, wraps
from typing import TYPE_CHECKING, Any

from sqlalchemy.engine import Connection, Engine
from sqlalchemy.orm import Session, SessionTransaction

from ...errors import IsolationError
from ...sessions.classes import sync_session_class
from .outer import OuterTransaction
from .savepoints import RESET

if TYPE_CHECKING:
    from sqlalchemy.engine.interfaces import CoreExecuteOptionsParameter


class JoinedSession(Session):
    """A session within the outer transaction.

    It has no bind before its first statement: connecting is asynchronous for some drivers, and a fixture is not.
    """

    def __init__(self, outer: OuterTransaction, **kwargs: Any) -> None:
        super().__init__(join_transaction_mode="create_savepoint", **kwargs)
        self.outer = outer

    def get_bind(self, mapper: Any = None, *, bind: Engine | Connection | None = None, **kwargs: Any) -> Any:
        """Return the one connection, opened at the first call."""
        return self.outer.joined_by(self) if bind is None else bind

    def begin(self, nested: bool = False) -> SessionTransaction:
        """Begin a transaction.

        Raises:
            IsolationError: If the session, which the test and the application share, is in a transaction already.
        """
        if not nested and self.in_transaction():
            raise self.outer.remember(_begun())
        return super().begin(nested)

    def connection(
        self,
        bind_arguments: Any = None,
        execution_options: CoreExecuteOptionsParameter | None = None,
    ) -> Connection:
        """Return the one connection.

        Raises:
            IsolationError: If an isolation level is requested.
        """
        if execution_options and "isolation_level" in execution_options:
            raise self.outer.remember(_level(execution_options["isolation_level"]))
        return super().connection(bind_arguments, execution_options)


def _in_turn(method: Callable[..., Any]) -> Callable[..., Any]:
    """Return *method* of a session, which only one task or thread at a time can run."""

    @wraps(method)
    def taking_turns(self: JoinedSession, *args: Any, **kwargs: Any) -> Any:
        __tracebackhide__ = True
        with self.outer.turns.turn():
            return method(self, *args, **kwargs)

    return taking_turns


# An AsyncSession calls these, too, in a greenlet of the task that called it.
IN_TURN = (
    *("add", "begin_nested", "close", "commit", "delete", "execute", "flush", "get", "get_one", "merge", "refresh"),
    *("reset", "rollback", "scalar", "scalars"),
)
for _name in IN_TURN:
    setattr(JoinedSession, _name, _in_turn(getattr(Session, _name)))


def joined_class(kind: type[Session] = Session) -> type[JoinedSession]:
    """Return the class of a session within the outer transaction, with the methods of the application's *kind*."""
    base: Any = sync_session_class(kind)
    return JoinedSession if base is Session else _joined(base)


@cache
def _joined(base: Any) -> type[JoinedSession]:
    own = [name for name in IN_TURN if getattr(base, name) is not getattr(Session, name)]
    own += ["exec"] if hasattr(base, "exec") else []
    return type("JoinedSession", (JoinedSession, base), {name: _in_turn(getattr(base, name)) for name in own})


def _begun() -> IsolationError:
    return IsolationError(
        "session.begin() was called on a session whose transaction has begun already.",
        why="In rollback isolation the test and the application share db_session, and the test has used it before"
        " (a SELECT is enough). In production the application has a new session of its own.",
        do=f"Write `await db_session.commit()` in the test before the application is called. {RESET}",
    )


def _level(level: object) -> IsolationError:
    return IsolationError(
        f"The isolation level {level!r} was requested on db_session.",
        why="In rollback isolation every transaction of a test is part of one that has begun already, whose level can"
        " no longer be changed.",
        do=RESET,
    )
