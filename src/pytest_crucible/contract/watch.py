"""The databases of a contract test, watched for rows that change and transactions that stay open."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from types import TracebackType
from typing import TYPE_CHECKING

from ..control import Control
from ..control.row_changes import RowChange, RowWatch, watching
from ..isolation.leaks import Leak
from ..isolation.resets import IsolatedTest, Resets
from ..worker.worker import Worker

if TYPE_CHECKING:
    from typing_extensions import Self


class Watch:
    """The watch over all databases of a test; its connections serve all examples.

    Used as a context manager, at whose end they are closed.

    Args:
        worker: The worker databases.
        resets: What knows of open transactions.
        test: The test.
    """

    def __init__(self, worker: Worker, resets: Resets, test: IsolatedTest) -> None:
        self._worker = worker
        self._resets = resets
        self._test = test
        self._controls: list[Control] = []
        self._rows: RowWatch | None = None
        self._connections = ExitStack()

    def __enter__(self) -> Self:
        """Return the watch, which connects at the first example."""
        return self

    @contextmanager
    def begun(self) -> Iterator[None]:
        """Watch for changed rows in the block, and hold no transaction after it, which the reset would meet."""
        rows = self._rows = self._renewed()
        try:
            yield
        finally:
            rows.pause()

    def changes(self, ignore: Collection[str]) -> list[RowChange]:
        """Return the rows that have changed since the block began, except those of the tables *ignore*."""
        return [] if self._rows is None else self._rows.changes(ignore)

    def left_open(self) -> Sequence[Leak]:
        """Return the open transactions of the test that have written, or lock."""
        return self._resets.open_in(self._worker.databases, self._test)

    def end_open(self) -> None:
        """Have these transactions give way: the error that names them is enough."""
        self._resets.end_leaks(self._test)

    def _renewed(self) -> RowWatch:
        controls = self._worker.controls()
        # After DDL the database is a fresh clone, with another control connection.
        if self._rows is not None and controls == self._controls:
            self._rows.renew()
            return self._rows
        self._connections.close()
        self._controls = controls
        return self._connections.enter_context(watching(controls))

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        """Give the connections up."""
        self._connections.close()
