"""Errors for engines that cannot be redirected."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

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
