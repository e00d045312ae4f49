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
