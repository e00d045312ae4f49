"""The guard of the outer transaction: listeners for savepoints, for its end, and for errors to explain."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from sqlalchemy import event
from sqlalchemy.engine import Connection, Engine, ExceptionContext
from sqlalchemy.orm import Session, SessionTransaction

from ...errors import IsolationError
from ...errors.hints import sqlstate
from ...errors.locations import UNKNOWN, here
from .constraints import Constraints
from .outer import OuterTransaction, OuterTransactions
from .savepoints import CURRENT, RESET, Participant
from .statement_kinds import ends_transaction, is_ddl, savepoint_in, sets, writes
from .turns import current_holder

# The SQLSTATEs of statements that need a transaction of their own (PostgreSQL manual, appendix A).
_NEEDS_ITS_OWN = {
    "25001": "it cannot run inside a transaction, or only at its beginning",
    "25P01": "it needs a transaction of its own",
    "2D000": "it ends the transaction from within a procedure",
    "55P04": "a value that was added to an enum is usable only after a commit",
}
_FAILED = "25P02"
_NO_SAVEPOINT = "3B001"


class Guard:
    """Listeners on engines and sessions; each does nothing for a connection that is not an outer transaction's."""

    def __init__(self, outers: OuterTransactions) -> None:
        self._outer = outers.on
        self._engines: dict[Engine, None] = {}
        self._listeners: dict[str, Callable[..., Any]] = {
            "release_savepoint": self._release,
            "rollback_savepoint": self._roll_back,
            "commit": self._commit,
            "rollback": self._rollback,
            "before_cursor_execute": self._execute,
            "handle_error": self._explain,
        }

    def watch(self, engine: Engine) -> None:
        """Listen to *engine*, once."""
        if not self._engines:
            event.listen(Session, "after_begin", self._begun)
        if engine not in self._engines:
            self._engines[engine] = None
            for name, listener in self._listeners.items():
                event.listen(engine, name, listener)

    def close(self) -> None:
        """Stop listening."""
        if self._engines:
            event.remove(Session, "after_begin", self._begun)
        for engine in self._engines:
            for name, listener in self._listeners.items():
                event.remove(engine, name, listener)
        self._engines.clear()

    # -- sessions ----------------------------------------------------------------------------------------------------

    def _begun(self, session: Session, transaction: SessionTransaction, connection: Connection) -> None:
        outer = self._outer(connection)
        if outer is None:
            return
        is_new = outer.savepoints.who(session) is None
        location = str(here() or UNKNOWN)
        who = outer.savepoints.began(session, location, current_holder(), root=not transaction.nested)
        CURRENT.set(who)
        if is_new:

            def make_current(*_: Any) -> None:
                CURRENT.set(who)

            event.listen(session, "do_orm_execute", make_current)
            event.listen(session, "before_flush", make_current)

    # -- savepoints --------------------------------------------------------------------------------------------------

    def _release(self, connection: Connection, name: str, _: object) -> None:
        outer = self._outer(connection)
        if outer is None:
            return
        if outer.error is not None:
            raise outer.error
        _drop(connection, outer, name)
        try:
            released = outer.savepoints.releasing(name)
        except IsolationError as error:
            raise outer.remember(error) from None
        if released is not None and released.root and released.wrote:
            outer.constraints.check(connection, name)

    def _roll_back(self, connection: Connection, name: str, _: object) -> None:
        outer = self._outer(connection)
        if outer is None:
            return
        outer.failed = None
        if outer.error is None:
            _drop(connection, outer, name)
            try:
                outer.savepoints.rolling_back(name)
            except IsolationError as error:
                raise outer.remember(error) from None

    # -- the outer transaction ---------------------------------------------------------------------------------------

    def _commit(self, connection: Connection) -> None:
        outer = self._outer(connection)
        if outer is not None and not outer.is_ending:
            raise outer.remember(_would_end("committed"))

    def _rollback(self, connection: Connection) -> None:
        outer = self._outer(connection)
        if outer is not None and not outer.is_ending:
            raise outer.remember(_would_end("rolled back"))

    # -- statements --------------------------------------------------------------------------------------------------

    def _execute(
        self, connection: Connection, _: object, statement: str, __: object, context: Any, *___: object
    ) -> None:
        outer = self._outer(connection)
        if outer is None or context.execution_options.get("crucible_own"):
            return
        # SQLAlchemy's own event for a savepoint comes before it has a name.
        name = savepoint_in(statement)
        if name is not None:
            outer.savepoints.opened(name, current_holder())
        elif ends_transaction(statement):
            raise outer.remember(_would_end(f"ended by {' '.join(statement.split())[:60]!r}"))
        elif writes(statement):
            outer.savepoints.wrote(CURRENT.get())
            if is_ddl(statement):
                outer.constraints = Constraints()
        elif sets(statement):
            outer.savepoints.wrote(None)

    def _explain(self, context: ExceptionContext) -> None:
        outer = None if context.connection is None else self._outer(context.connection)
        if outer is None or outer.is_ending:
            return
        state = sqlstate(context.original_exception)
        if state in _NEEDS_ITS_OWN:
            raise outer.remember(_needs_its_own(context, _NEEDS_ITS_OWN[state])) from context.original_exception
        if state in (_FAILED, _NO_SAVEPOINT) and outer.error is not None:
            raise outer.error from context.original_exception
        if state == _FAILED and outer.failed is not None and outer.failed is not CURRENT.get():
            raise outer.remember(_poisoned(outer.failed)) from context.original_exception
        if state and state != _FAILED:
            outer.failed = CURRENT.get()


def _drop(connection: Connection, outer: OuterTransaction, name: str) -> None:
    """Roll back transactions above the savepoint *name* whose sessions were collected without a close."""
    while outer.savepoints.is_dropped_above(name) and (nested := connection.get_nested_transaction()) is not None:
        nested.close()


def _would_end(how: str) -> IsolationError:
    return IsolationError(
        f"The outer transaction of this test would be {how}.",
        why="In rollback isolation all sessions of a test share one connection, whose transaction ends with the test."
        " A session that joins it without a savepoint, or the connection's own commit() and rollback(), would end it"
        " before.",
        do='Give a session of your own join_transaction_mode="create_savepoint", and end transactions through it. '
        + RESET,
    )


def _needs_its_own(context: ExceptionContext, why: str) -> IsolationError:
    return IsolationError(
        f"A statement failed: {str(context.original_exception).strip()}\n"
        f"  {' '.join((context.statement or '').split())[:200]}",
        why=f"In rollback isolation every statement is a part of one long transaction, and {why}.",
        do=RESET,
    )


def _poisoned(failed: Participant) -> IsolationError:
    return IsolationError(
        f"A session's statement was refused because another session's statement had failed before.\n  failed: {failed}",
        why="In rollback isolation all sessions of a test share one connection, and after an error PostgreSQL refuses"
        " every statement on it before a rollback. In production each session has a connection of its own.",
        do=RESET,
    )
