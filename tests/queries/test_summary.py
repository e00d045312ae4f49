"""The end of a run: what all processes have to say, once."""

from __future__ import annotations

import re

import pytest

TESTS = """
import os, pytest
from app import User
from sqlalchemy import create_engine, select, text

other = create_engine("postgresql+psycopg://nobody_knows@db.production.invalid/app")

@pytest.mark.parametrize("i", range(4))
def test_queries(sync_session, query_log, i):
    with other.connect() as connection:
        connection.execute(text("SELECT 1"))
    for _ in range(i + 1):
        sync_session.execute(text("SELECT 1"))

@pytest.mark.parametrize("i", range(2))
def test_ddl(sync_session, i):
    sync_session.execute(text("CREATE TABLE t (i int)"))
    sync_session.commit()

@pytest.mark.crucible(keep=True)
@pytest.mark.parametrize("i", range(2))
def test_kept(sync_session, i):
    sync_session.execute(text("SELECT 1"))
    assert 0
"""


def said(result: pytest.RunResult) -> list[str]:
    lines = [line.removeprefix("crucible: ") for line in result.outlines if line.startswith("crucible: ")]
    return lines[1:]  # the first is the header


@pytest.mark.slow
def test_one_process(project):
    """Notes, kept databases, templates, clones and the statements of tests that asked for them."""
    result = project.run(TESTS)
    result.assert_outcomes(passed=6, failed=2)
    lines = said(result)
    assert [line.startswith("kept crucible_") for line in lines[:2]] == [True, True]
    assert "2 fresh clones after changes that a reset cannot undo" in lines[-6]
    assert re.fullmatch(r"2 clones after CREATE TABLE t \(test_\d+.py::test_ddl\[0\], .*\)", lines[-5])
    assert lines[-4] == "14 statements in 4 tests with query_log"
    assert [re.match(r"\d times SELECT 1  at .*\(.*\)$", line)[0][0] for line in lines[-3:]] == ["4", "3", "2"]


@pytest.mark.slow
@pytest.mark.parametrize("dist", ["load", "worksteal"])
def test_workers(project, dist):
    """The controller says what all workers have to say, with a note that each of them has once."""
    result = project.run(TESTS, "-n2", f"--dist={dist}", process=True)
    result.assert_outcomes(passed=6, failed=2)
    lines = said(result)
    assert [line.startswith("kept crucible_") for line in lines] == [True] * 2 + [False] * (len(lines) - 2)
    assert sum("fresh clone" in line for line in lines) == 1
    assert lines[-4] == "14 statements in 4 tests with query_log"
    assert sum(line.startswith("role 'nobody_knows'") for line in lines) == 1


@pytest.mark.slow
def test_a_crashed_worker(project):
    """Only what the crashed worker would have said is missing; what it kept before is not."""
    crashing = """
@pytest.mark.parametrize("i", range(4))
def test_crash(sync_session, query_log, i):
    sync_session.execute(text("SELECT 1"))
    if i == 0:
        os._exit(1)
"""
    result = project.run(TESTS + crashing, "-n2", process=True)
    assert "crashed while running" in result.stdout.str()
    lines = said(result)
    assert sum(line.startswith("kept crucible_") for line in lines) == 2
    assert any(re.fullmatch(r"\d+ statements in \d tests with query_log", line) for line in lines)
