"""The statements that Crucible sends for a test."""

from __future__ import annotations

TESTS = """
import psycopg
from pytest_crucible.control.sent_query import SentQuery
from sqlalchemy import text

SENT = []
execute, send = psycopg.Connection.execute, SentQuery.send

def noting(self, query, *arguments, **kwargs):
    SENT.append(str(query))
    return execute(self, query, *arguments, **kwargs)

def noting_the_reset(self, *parameters):
    SENT.append("reset")
    send(self, *parameters)

async def test_the_database_is_there(db_session):
    await db_session.execute(text("SELECT 1"))

def test_begins():
    psycopg.Connection.execute = noting
    SentQuery.send = noting_the_reset

def test_touches_nothing():
    assert SENT == []

async def test_reads(db_session):
    assert SENT == []
    await db_session.execute(text("SELECT 1"))

def test_the_end_of_a_test_that_reads_is_one_statement():
    psycopg.Connection.execute, SentQuery.send = execute, send
    assert SENT == ["reset"]
"""


def test_a_test_without_database_costs_no_round_trip(project):
    """Neither begin nor end of such a test asks the server anything; those of a test that reads ask one thing."""
    project.run(TESTS).assert_outcomes(passed=5)


def test_a_control_connection_begins_with_one_statement(project):
    """A connection to a fresh clone asks the server one thing, and no statement is prepared before it is executed."""
    tests = """
import psycopg
from sqlalchemy import text

SENT = []
send = psycopg.Connection.execute

def noting(self, query, *arguments, **kwargs):
    assert "prepare" not in kwargs
    if self.info.dbname.startswith("crucible_w"):
        SENT.append(query)
    return send(self, query, *arguments, **kwargs)

async def test_changes_the_schema(db_session):
    await db_session.execute(text("CREATE TABLE further (id int)"))
    await db_session.commit()
    psycopg.Connection.execute = noting

async def test_gets_a_clone(db_session):
    psycopg.Connection.execute = send
    mending, beginning = SENT  # the former is the last of the old connection
    assert "datconnlimit" in mending
    assert "pg_crucible.own" in beginning
"""
    project.run(tests).assert_outcomes(passed=2)


def test_a_session_does_not_outlive_its_test(project):
    """Nothing keeps the sessions of earlier tests, nor their handles."""
    tests = """
import gc
import pytest
from sqlalchemy.ext.asyncio import AsyncSession
from pytest_crucible.handle import Test

@pytest.mark.parametrize("number", range(6))
async def test_uses_it(number, crucible, db_session):
    gc.collect()
    for kind in (AsyncSession, Test):
        assert sum(type(each) is kind for each in gc.get_objects()) <= 2
"""
    project.run(tests).assert_outcomes(passed=6)
