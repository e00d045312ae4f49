"""The control connection after a time-out: no statement is under way, and the next one runs."""

from __future__ import annotations

import signal
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import psycopg
import pytest

from pytest_crucible.control.admin import connect
from pytest_crucible.server import lease

NUMBERS = "generate_series(1, 3000000)"


class TooLate(BaseException):
    """The exception of a time-out; pytest-timeout's is no ``Exception`` either."""


@pytest.fixture(scope="module")
def address(tmp_path_factory: pytest.TempPathFactory, cache):
    """Yield the address of the administrator of a server of the module's own."""
    held = lease("embedded", root=tmp_path_factory.mktemp("control"), cache=cache)
    yield held.admin
    held.release()


@pytest.fixture
def connection(address) -> Iterator[psycopg.Connection[Any]]:
    """Yield a control connection."""
    with connect(address) as connection:
        yield connection


@contextmanager
def time_outs(*seconds: float) -> Iterator[None]:
    """Raise `TooLate` after so many seconds, and again after as many as follow; the block must not end before."""
    left = [*seconds]

    def expire(number: int, frame: object) -> None:
        signal.setitimer(signal.ITIMER_REAL, left.pop(0) if left else 0)
        raise TooLate

    before = signal.signal(signal.SIGALRM, expire)
    signal.setitimer(signal.ITIMER_REAL, left.pop(0))
    try:
        with pytest.raises(TooLate):
            yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)


@pytest.mark.parametrize(
    "statement", ["SELECT pg_sleep(60)", f"SELECT count(*) FROM {NUMBERS} a, generate_series(1, 100)", "VALUES (1)"]
)
def test_a_statement(connection, statement):
    """A statement that waits or computes is cancelled; the session, and the locks that it holds, stay."""
    pid = connection.info.backend_pid
    with time_outs(0.05):
        while True:
            connection.execute(statement)
    assert connection.execute("SELECT pg_backend_pid()").fetchone() == (pid,)


def test_a_transaction(connection):
    """A transaction block is rolled back as after any other exception."""
    with time_outs(0.05), connection.transaction():
        connection.execute("CREATE TABLE gone (id integer)")
        connection.execute("SELECT pg_sleep(60)")
    assert connection.execute("SELECT to_regclass('gone')").fetchone() == (None,)


def test_a_copy_from_the_server(connection):
    """The rest of a COPY's rows is read."""
    with time_outs(0.05):
        while True:
            with connection.cursor().copy(f"COPY (SELECT * FROM {NUMBERS}) TO STDOUT") as rows:
                assert sum(1 for _ in rows) == 3_000_000
    assert connection.execute("SELECT 1").fetchone() == (1,)


def test_a_copy_to_the_server(connection):
    """A COPY to the server is broken off, and the connection closed: what became of the rows would be unknown."""
    connection.execute("CREATE TEMPORARY TABLE numbers (number integer)")
    with time_outs(0.2):
        while True:
            with connection.cursor().copy("COPY numbers FROM STDIN") as sink:
                for _ in range(1000):
                    sink.write(b"1\n" * 100_000)
    assert connection.closed or connection.execute("SELECT 1").fetchone() == (1,)
