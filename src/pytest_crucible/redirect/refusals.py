"""Refusals: of engines that cannot be redirected, and of all engines where a test may use no database."""

from __future__ import annotations

from contextvars import ContextVar
from typing import TYPE_CHECKING, Any

from sqlalchemy import event
from sqlalchemy.engine import Engine

from ..errors import RedirectError
from .arguments import DRIVERS
from .loops import on_trio, running_loop

if TYPE_CHECKING:
    from sqlalchemy.engine.interfaces import Dialect


def driver_of(dialect: Dialect, cparams: dict[str, Any]) -> str:
    """Return the driver of *dialect*.

    Raises:
        RedirectError: If Crucible cannot redirect that driver, or the engine opens its connections past the dialect.
    """
    if dialect.driver not in DRIVERS:
        raise RedirectError(
            f"An engine uses the driver {dialect.driver!r}, which Crucible cannot redirect.",
            why="Each driver has its own connect arguments; Crucible knows those of " + ", ".join(DRIVERS) + ".",
            do="Use one of them in the tests, for example postgresql+psycopg://…",
        )
    if "async_creator_fn" in cparams:
        raise RedirectError(
            "An engine has async_creator_fn in connect_args, so Crucible cannot say where it leads.",
            why="That function opens the connection past the dialect.",
            do="Drop async_creator_fn and give its settings in connect_args=.",
        )
    return dialect.driver


def refuse_trio(dialect: Dialect) -> None:
    """Raise an error for an asynchronous engine that connects on trio."""
    if dialect.is_async and running_loop() is None and on_trio():
        raise RedirectError(
            "An asynchronous engine connects on trio.",
            why="SQLAlchemy and its drivers support asyncio only; anyio's plugin runs each test on trio too if trio is"
            " installed.",
            do='Write a fixture anyio_backend in conftest.py that returns "asyncio".',
        )


class Prohibition:
    """A prohibition of PostgreSQL for tests; a lifespan's tasks and fixtures of wider scopes are not refused.

    Args:
        owner: The owner of the code that runs; None for a test.

    Attributes:
        reason: The reason, or None where there is no prohibition.
    """

    def __init__(self, owner: ContextVar[str | None]) -> None:
        self.reason: str | None = None
        self._owner = owner

    def set(self, reason: str | None) -> None:
        """Make connecting, checking out and executing raise `RedirectError` with *reason*; None allows them again."""
        # A connection checked out before executes without another checkout. The listener is added only while needed,
        # since it costs each statement some microseconds.
        change = {(False, True): event.listen, (True, False): event.remove}.get((bool(self.reason), bool(reason)))
        self.reason = reason
        if change is not None:
            change(Engine, "before_cursor_execute", self._before_execute)

    def enforce(self) -> None:
        """Raise the error if the code that runs is refused."""
        if self.reason is not None and self._owner.get() is None:
            raise RedirectError(self.reason)

    def _before_execute(self, *_: object) -> None:
        self.enforce()
