"""Commits outside of the outer transaction, where the database has no triggers that would tell the reset of them.

Then nobody could put back what another engine of the application's commits, so it must not be committed. Listeners on
the `Engine` class see every commit of SQLAlchemy's; a raw driver's they do not see.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from sqlalchemy import event
from sqlalchemy.engine import Connection, Engine

from ..errors import IsolationError
from ..redirect.places import here
from .words import writes

_WROTE = "pytest_crucible.rollback.wrote"


class Outside:
    """Refuses commits on connections that are not the test's.

    Args:
        is_inside: Whether a connection may commit.
        found: Is told of an error before it is raised.
    """

    def __init__(
        self, is_inside: Callable[[Connection], bool], found: Callable[[IsolationError], IsolationError]
    ) -> None:
        self._is_inside = is_inside
        self._found = found
        self._listeners: dict[str, Callable[..., Any]] = {
            "before_cursor_execute": self._execute,
            "commit": self._commit,
            "rollback": self._rollback,
        }
        self._listens = False

    def listen(self) -> None:
        """Listen from now on."""
        if not self._listens:
            self._listens = True
            for name, listener in self._listeners.items():
                event.listen(Engine, name, listener)

    def close(self) -> None:
        """Listen no more."""
        if self._listens:
            self._listens = False
            for name, listener in self._listeners.items():
                event.remove(Engine, name, listener)

    def _execute(self, connection: Connection, _: Any, statement: str, *__: Any) -> None:
        if connection.dialect.name == "postgresql" and writes(statement) and not self._is_inside(connection):
            if getattr(connection.connection.dbapi_connection, "autocommit", False):
                raise self._found(_outside(connection))
            connection.info[_WROTE] = True

    def _commit(self, connection: Connection) -> None:
        if connection.info.pop(_WROTE, None) and not self._is_inside(connection):
            # SQLAlchemy takes the transaction for ended, and would give the connection back as it is.
            connection.connection.rollback()
            raise self._found(_outside(connection))

    def _rollback(self, connection: Connection) -> None:
        connection.info.pop(_WROTE, None)


def _outside(connection: Connection) -> IsolationError:
    return IsolationError(
        f"The engine {connection.engine.url.render_as_string()} commits outside of the test's transaction,"
        f" at {here() or 'an unknown place'}.",
        why="In rollback isolation only what db_session does is taken back, and this server allows Crucible no triggers"
        " that would tell what else was written: later tests would see it.",
        do="Let that code take its session from the dependency that crucible_get_session names, or write"
        ' @pytest.mark.crucible(isolation="clone") on this test.',
    )
