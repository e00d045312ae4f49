"""A prepared statement that is sent without waiting for its answer, by libpq's own functions.

psycopg waits for each answer, but its ``pq`` module has the functions that do not (psycopg documentation, "pq – libpq
wrapper module"; PostgreSQL manual, 32.4, "Asynchronous Command Processing").
"""

from __future__ import annotations

import select
from typing import TYPE_CHECKING, Any

from .driver import psycopg

if TYPE_CHECKING:
    from psycopg.pq.abc import PGconn, PGresult

NAME = b"pg_crucible_sent"


class LostAnswerError(Exception):
    """A sign that a time-out or Ctrl-C came when the answer did, which is lost."""


class SentQuery:
    """The statement of a connection that is prepared as `NAME`; its result is one value.

    Args:
        connection: The connection, which nothing else may use until the answer is there.

    Attributes:
        is_under_way: Whether it was sent, and its answer is not there yet.
    """

    def __init__(self, connection: psycopg.Connection[Any]) -> None:
        self.is_under_way = False
        self._libpq = connection.pgconn
        self._is_answered = False
        self._answer: str | None = None
        self._error: psycopg.Error | None = None

    def send(self, *parameters: str) -> None:
        """Send the statement with *parameters*, as text; an error is raised where the answer is asked for."""
        self._answer = self._error = None
        self._is_answered = False
        try:
            for _ in range(2):  # an error if the server has closed its end: first the reason is read, then the end
                self._libpq.consume_input()
            self.is_under_way = True  # before it is: a time-out or Ctrl-C may come at any time
            self._libpq.send_query_prepared(NAME, [parameter.encode() for parameter in parameters])
            while self._libpq.flush():
                _wait(self._libpq, select.POLLIN | select.POLLOUT)
        except psycopg.Error as error:
            self.is_under_way = False
            self._error = error

    def answer(self) -> str | None:
        """Return the value that the statement sent last has returned, as text; wait for it.

        Raises:
            LostAnswerError: Something interrupted the process when the answer came.
            psycopg.Error: The statement failed, or could not be sent.
        """
        self.wait()
        if self._error is not None:
            raise self._error
        if not self._is_answered:
            raise LostAnswerError
        return self._answer

    def wait(self) -> None:
        """Wait until the answer is there."""
        if not self.is_under_way:
            return
        try:
            while (result := next_result(self._libpq)) is not None:
                _check(result)
                value = result.get_value(0, 0)
                self._answer = None if value is None else value.decode()
                self._is_answered = True
        except psycopg.Error as error:
            self._error = error
            while self._libpq.status == psycopg.pq.ConnStatus.OK and next_result(self._libpq) is not None:
                pass  # libpq accepts a new query only after the end of the last one
        self.is_under_way = False


def next_result(libpq: PGconn) -> PGresult | None:
    """Return the next result of the statement that *libpq* has sent, or None after the last one; wait for it."""
    while libpq.is_busy():
        _wait(libpq, select.POLLIN)
        libpq.consume_input()
    return libpq.get_result()


def _wait(libpq: PGconn, events: int) -> None:
    poll = select.poll()
    poll.register(libpq.socket, events)
    poll.poll()


def _check(result: PGresult) -> None:
    if result.status in (psycopg.pq.ExecStatus.COMMAND_OK, psycopg.pq.ExecStatus.TUPLES_OK):
        return
    state = (result.error_field(psycopg.pq.DiagnosticField.SQLSTATE) or b"").decode()
    message = result.error_message.decode(errors="replace").strip()
    try:
        kind = psycopg.errors.lookup(state)
    except KeyError:  # the connection is lost
        kind = psycopg.OperationalError
    raise kind(message)
