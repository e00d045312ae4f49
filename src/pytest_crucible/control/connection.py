"""A control connection: one of psycopg's that a time-out leaves usable. Imported when the first one is opened."""

from __future__ import annotations

import contextlib
from typing import Any

import psycopg
from psycopg.pq import ExecStatus, TransactionStatus

from .sent_query import next_result

CANCEL_SECONDS = 5.0


class ControlConnection(psycopg.Connection[tuple[Any, ...]]):
    """A connection that ends the statement in which a time-out, such as pytest-timeout's, interrupts this process.

    psycopg ends it at Ctrl-C alone; after any other exception the connection would refuse every later statement.
    """

    def wait(self, *args: Any, **kwargs: Any) -> Any:
        """Wait for the server, as psycopg's own method does; where that is interrupted, cancel the statement."""
        try:
            return super().wait(*args, **kwargs)
        except psycopg.Error:
            raise
        except BaseException:
            self._end_statement()
            raise

    def _end_statement(self) -> None:
        """Cancel the statement that is under way and read what it has answered; close the connection if that fails."""
        is_usable = False
        try:
            with contextlib.suppress(psycopg.Error):
                if self.pgconn.transaction_status == TransactionStatus.ACTIVE:
                    self.cancel_safe(timeout=CANCEL_SECONDS)
                    self._read_to_the_end()
                is_usable = True
        finally:
            if not is_usable:
                self.close()

    def _read_to_the_end(self) -> None:
        """Read the answer to its end, also of a COPY from the server.

        Raises:
            psycopg.OperationalError: In a COPY to the server, which only fresh clones get: its rows may be incomplete.
        """
        while (result := next_result(self.pgconn)) is not None:
            if result.status == ExecStatus.COPY_OUT:
                while self.pgconn.get_copy_data(0)[0] > 0:
                    pass
            elif result.status == ExecStatus.COPY_IN:
                raise psycopg.OperationalError("a COPY to the server was interrupted")
