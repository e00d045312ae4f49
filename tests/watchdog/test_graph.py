"""Who waits for whom, as far as it needs no server."""

from pytest_crucible.isolation.watchdog import Side, Wait, blocked, endless
from pytest_crucible.redirect import Opened

IDLE = Side(1, "idle in transaction", "INSERT INTO users VALUES (1)", 10.0)
WAITER = Side(2, "active", "INSERT INTO  users\nVALUES (1)", 11.0)
SECOND = Side(3, "active", "SELECT … FOR UPDATE", 12.0)


def test_a_wait_for_an_idle_transaction():
    """A backend that waits for a transaction that does nothing waits for ever."""
    assert endless([(WAITER, IDLE)]) == [Wait(WAITER, IDLE)]


def test_a_queue_behind_it():
    """A backend that waits behind the first one waits for the same idle transaction."""
    assert endless([(SECOND, WAITER), (WAITER, IDLE)]) == [Wait(SECOND, IDLE), Wait(WAITER, IDLE)]


def test_a_queue_that_moves():
    """No backend waits for ever behind one that is at work, not even in a circle, which PostgreSQL resolves."""
    assert endless([(SECOND, WAITER)]) == []
    assert endless([(SECOND, WAITER), (WAITER, SECOND)]) == []


def test_an_aborted_transaction_is_idle_too():
    """A transaction that has failed keeps its locks until it is rolled back."""
    aborted = Side(1, "idle in transaction (aborted)", "", 10.0)
    assert endless([(WAITER, aborted)]) == [Wait(WAITER, aborted)]


def test_the_message():
    """Both statements, both places, why, and what to write instead."""
    opened = Opened(1, "asyncpg", None, 1, None, "tests/test_x.py:3 in test_x", checked_out=True)
    error = blocked("test_x", [Wait(WAITER, IDLE)], [opened], 5)
    assert error.found.splitlines() == [
        "test_x: a statement waited 5 s for a transaction that is idle, and would have waited for ever.",
        "  waiting: INSERT INTO users VALUES (1)",
        "           backend 2, active, opened by code that Crucible does not see (a raw driver, a subprocess)",
        "  for:     INSERT INTO users VALUES (1)",
        "           backend 1, idle in transaction, opened at tests/test_x.py:3 in test_x (asyncpg)",
        "The waiting statement has been cancelled.",
    ]
    assert "flushed a row" in error.why
    assert "await db_session.commit()" in error.do
