"""The test handle: one test and its database, the value of the fixture ``crucible``."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from .app.applications import Applications
from .app.overrides import overriding
from .errors import UsageError
from .isolation.resets import IsolatedTest
from .worker.worker import Worker

if TYPE_CHECKING:
    from .isolation.checkpoints import Checkpoint


@dataclass(repr=False)
class Test(IsolatedTest):
    """One test and its database.

    Attributes:
        worker: The worker databases.
        applications: The applications of ``crucible_app``.
        new_checkpoint: Makes a checkpoint of this test.
        forbidden: The reason why it may not use a database, or None.
    """

    worker: Worker
    applications: Applications
    new_checkpoint: Callable[[Test], Checkpoint]
    forbidden: str | None = None

    def __repr__(self) -> str:
        return f"<test {self.id!r}, isolated by {self.isolation}>"

    def _repr_pretty_(self, printer: Any, cycle: bool) -> None:
        """Print it as `repr` does: Hypothesis prints the fields of dataclasses."""
        printer.text(repr(self))

    @property
    def database(self) -> str:
        """The name of the main worker database."""
        return self.worker.address().database

    def url(self, drivername: str = "postgresql", *, database: str | None = None) -> str:
        """Return the worker database's URL, for example by ``crucible.url("postgresql+asyncpg")``.

        It names the role that owns the schema; the application connects as the role in its own URL.

        Args:
            drivername: The beginning of the URL.
            database: One of ``crucible_databases``, by its name; without it, the main one.

        Raises:
            UsageError: If no database has this name.
        """
        return self.worker.address(database).url(drivername)

    def checkpoint(self) -> Checkpoint:
        """Return a block at whose end everything is put back that was committed in it: rows and sequences.

        >>> with crucible.checkpoint():
        ...     await async_client.post("/orders", json={"item": "tea"})

        What the test committed before stays. ``reset()`` of the block puts back as its end does, and stays in it.
        """
        return self.new_checkpoint(self)

    @contextmanager
    def overriding(
        self, replacements: Mapping[Any, Callable[..., Any]], application: Any | None = None
    ) -> Iterator[None]:
        """Replace dependencies of the application within the block.

        >>> with crucible.overriding({current_user: lambda: ada}):
        ...     response = await async_client.get("/me")

        Args:
            replacements: The callables that replace the dependencies.
            application: By default, that of ``crucible_app``.

        Raises:
            UsageError: If there is no such application, or it has no overrides, or a replacement cannot be called.
        """
        applications = self.applications.all() if application is None else [application]
        if not applications:
            raise UsageError(
                "crucible.overriding() needs the application, and none is known yet.",
                why="crucible_app is not set, or names a factory that has not been called.",
                do="Pass the application: crucible.overriding({…}, application=app).",
            )
        with ExitStack() as stack:
            for each in applications:
                stack.enter_context(overriding(each, replacements))
            yield
