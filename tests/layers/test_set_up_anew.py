"""Errors of Crucible's around the set-up of a wide fixture: they are not the fixture's, which is set up anew."""

from __future__ import annotations

import pytest

from tests.shared import inner_project

ONCE = """
import pytest
from pytest_crucible import UsageError
from pytest_crucible.isolation.layers import Layers

original = Layers.METHOD
left = ["wide"]

def fails(self, *arguments):
    if arguments[-1] in left:
        left.clear()
        raise UsageError("found", why="cause", do="remedy")
    return original(self, *arguments)

Layers.METHOD = fails

def pytest_unconfigure():
    Layers.METHOD = original
"""
TESTS = """
import pytest
from app import User, engine
from sqlalchemy import create_engine, func, select, text

sync = create_engine("postgresql+psycopg://app@db.production.invalid/app")
SET_UP = []

@pytest.fixture(scope="module")
def wide():
    SET_UP.append(1)
    with sync.begin() as connection:
        connection.execute(text("INSERT INTO users (name) VALUES ('ada')"))

@pytest.mark.parametrize("number", range(3))
def test_reads(wide, number):
    with sync.connect() as connection:
        assert connection.scalar(text("SELECT count(*) FROM users")) == 1
    assert len(SET_UP) == TIMES
"""


@pytest.mark.parametrize(("method", "times"), [("_settle", 1), ("_capture", 2)], ids=["before", "after"])
def test_the_next_test_sets_it_up_anew(project, method, times):
    """An error before or after the fixture's own code fails one test; the next one gets the fixture."""
    path = inner_project.write(project.root, "conftest.py", ONCE.replace("METHOD", method))
    try:
        result = project.run(TESTS.replace("TIMES", str(times)))
    finally:
        path.unlink()
    result.assert_outcomes(passed=2, errors=1)
