"""Code in the schema that does what no lock shows turns reduction off, and code that asks for the time is known."""

from __future__ import annotations

import pytest
from schema import engine
from sqlalchemy import text

from pytest_crucible.control.backend_locks import LockObserver

CODE = {
    "CREATE FUNCTION f() RETURNS bool LANGUAGE sql AS 'SELECT pg_try_advisory_xact_lock(1)'": (False, False),
    "CREATE FUNCTION f() RETURNS bool LANGUAGE sql RETURN pg_try_advisory_lock(1)": (False, False),
    "CREATE FUNCTION f() RETURNS void LANGUAGE sql AS $$ SELECT pg_notify('a', 'b') $$": (False, False),
    "CREATE VIEW f AS SELECT id FROM accounts FOR UPDATE SKIP LOCKED": (False, False),
    "CREATE TABLE f (at timestamptz DEFAULT clock_timestamp())": (False, True),
    "CREATE TABLE f (at timestamptz DEFAULT now())": (True, True),
    "CREATE TABLE f (at date CHECK (at < CURRENT_DATE))": (True, True),
    "CREATE VIEW f AS SELECT id FROM accounts WHERE LOCALTIMESTAMP > '2000-01-01'": (True, True),
    "CREATE TABLE f (notify_by_mail bool, advisory text, snapshots int)": (True, False),
}


@pytest.mark.parametrize("statement", CODE)
def test_code(race, crucible, statement):
    """What matters to reduction is found in functions, views, defaults and constraints."""
    with engine.begin() as connection:
        connection.execute(text(statement))
    address = crucible.worker.address()
    observer = LockObserver(address, [address])
    observer.close()
    assert (observer.sees_all, observer.uses_clock) == CODE[statement]
