"""Gates: listeners that hold an actor before each statement, commit and rollback that SQLAlchemy sends.

They are installed only while orders are explored. A commit or rollback of a transaction that has sent nothing passes.
Code that belongs to no actor passes, too: of the test, of the lifespan, of other threads.
"""

from __future__ import annotations

import asyncio
import contextlib
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, Protocol

from sqlalchemy import event
from sqlalchemy.engine import Connection, Engine, ExceptionContext
from sqlalchemy.pool import AssertionPool, Pool, QueuePool, StaticPool

from ..errors import UsageError
from ..errors.counting import counted
from ..errors.locations import cause
from ..queries import PARAMETERS, cut
from ..redirect import Redirect
from ..redirect.loops import running_loop
from .actors import ACTOR, Actor, Step


class Conducting(Protocol):
    """The part of the conductor that the gates need: they are called in tasks and threads of actors."""

    loop: asyncio.AbstractEventLoop
    is_open: bool
    reduce: bool

    def arrive(self, step: Step) -> None:
        """Note that the actor of *step* is held."""


class Gates:
    """Listeners of the class `Engine`, for one conductor at a time.

    Attributes:
        users: The actors that have used each pool.
    """

    def __init__(self) -> None:
        self.users: dict[Pool, set[int]] = {}
        self._conductor: Conducting | None = None
        self._sent: set[int] = set()
        self._isolations: dict[int, str] = {}
        self._listeners: list[tuple[Any, str, Callable[..., Any]]] = [
            (Engine, "do_connect", self._connect),
            (Pool, "checkout", self._connected),
            (Engine, "before_cursor_execute", self._statement),
            (Engine, "after_cursor_execute", self._executed),
            (Engine, "handle_error", self._failed),
            (Engine, "commit", self._commit),
            (Engine, "rollback", self._rollback),
        ]

    @contextmanager
    def installed(self) -> Iterator[None]:
        """Listen in the block."""
        for target, name, listener in self._listeners:
            event.listen(target, name, listener, insert=name == "do_connect")  # the redirect connects by itself
        try:
            yield
        finally:
            for target, name, listener in self._listeners:
                event.remove(target, name, listener)

    @contextmanager
    def leading_to(self, conductor: Conducting) -> Iterator[None]:
        """Hold the actors of *conductor* in the block."""
        self._conductor = conductor
        self._sent.clear()
        try:
            yield
        finally:
            self._conductor = None

    def crowded(self) -> Pool | None:
        """Return a pool that has fewer connections than actors that have used it."""
        for pool, actors in self.users.items():
            if (capacity := _capacity(pool)) is not None and capacity < len(actors):
                return pool
        return None

    def _connect(self, *_: object) -> None:
        if (actor := ACTOR.get()) is not None:
            actor.is_connecting = True

    def _connected(self, *_: object) -> None:
        if (actor := ACTOR.get()) is not None:
            actor.is_connecting = False

    def _statement(
        self, connection: Connection, cursor: Any, statement: str, parameters: Any, context: Any, many: bool
    ) -> None:
        pid = Redirect.pid_of(connection)
        if pid is not None:
            text = cut(repr(parameters), PARAMETERS) if parameters else ""
            self._hold(connection, pid, "statement", statement, text)
            self._sent.add(pid)

    def _commit(self, connection: Connection) -> None:
        self._end(connection, "commit")

    def _rollback(self, connection: Connection) -> None:
        self._end(connection, "rollback")

    def _end(self, connection: Connection, kind: str) -> None:
        if connection.invalidated:  # its task was cancelled in the middle of a statement: there is nothing to send
            return
        pid = Redirect.pid_of(connection)
        if pid is not None and pid in self._sent:
            self._hold(connection, pid, kind, "", "")
            self._sent.discard(pid)

    def _executed(self, connection: Connection, cursor: Any, *_: object) -> None:
        step = self._under_way(connection)
        if step is None:
            return
        step.is_over = True
        if self._conductor is not None and self._conductor.reduce:
            step.isolation = self._isolation(connection, step)
        if cursor.rowcount >= 0:
            step.result = counted(cursor.rowcount, "row")

    def _failed(self, context: ExceptionContext) -> None:
        step = None if context.connection is None else self._under_way(context.connection)
        if step is not None:
            step.has_failed = step.is_over = True
            step.result = cut(" ".join(str(context.original_exception).split()), PARAMETERS)

    def _isolation(self, connection: Connection, step: Step) -> str:
        """Return the isolation level of the transaction, which no other backend can see: asked once in each."""
        if step.is_first or "ISOLATION" in step.sql.upper():
            # Past SQLAlchemy, whose own way to ask is a statement with events. SHOW takes no snapshot.
            with contextlib.closing(connection.connection.cursor()) as own:
                own.execute("SHOW transaction_isolation")
                self._isolations[step.pid] = own.fetchone()[0]  # type: ignore[index]
        return self._isolations.get(step.pid, "")

    def _under_way(self, connection: Connection) -> Step | None:
        actor = ACTOR.get()
        pid = None if actor is None or connection.closed or connection.invalidated else Redirect.pid_of(connection)
        return None if actor is None or pid is None else actor.under_way.get(pid)

    def _hold(self, connection: Connection, pid: int, kind: str, sql: str, parameters: str) -> None:
        actor, conductor = ACTOR.get(), self._conductor
        if actor is None or conductor is None or not conductor.is_open:
            return
        actor.is_connecting = False
        self.users.setdefault(connection.engine.pool, set()).add(actor.number)
        step = Step(actor, kind, sql, parameters, cause(), pid, pid not in self._sent, _source(connection))
        if connection.dialect.is_async:
            conductor.arrive(step)
            connection.connection.dbapi_connection.run_async(lambda _: asyncio.wrap_future(step.go))  # type: ignore[union-attr]
        elif running_loop() is conductor.loop:
            raise _synchronous(actor, step)
        else:
            actor.threads.add(threading.get_native_id())
            conductor.arrive(step)
            step.go.result()


def _source(connection: Connection) -> object:
    return asyncio.current_task() if connection.dialect.is_async else threading.get_ident()


def _capacity(pool: Pool) -> int | None:
    """Return the number of connections that *pool* can have at the same time; None if it knows no limit."""
    if isinstance(pool, (StaticPool, AssertionPool)):
        return 1
    if not isinstance(pool, QueuePool):
        return None
    return None if pool._max_overflow < 0 else pool.size() + pool._max_overflow


def _synchronous(actor: Actor, step: Step) -> UsageError:
    return UsageError(
        f"Actor {actor.name} executed a statement synchronously on the thread of the event loop, at {step.location}.",
        why="A coroutine function uses an engine or a Session that is not asynchronous. Held before its statement, it"
        " would hold every other actor as well.",
        do="Pass a plain function to race(), which runs in a thread, or await asyncio.to_thread(…) in the coroutine.",
    )
