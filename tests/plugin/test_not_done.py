"""What a failed test did not commit, or did not await, stands in its report."""

from __future__ import annotations

import gc
from types import CoroutineType

import pytest

TESTS = """
import pytest
from sqlalchemy import create_engine, text
from sqlalchemy.orm import Session as SyncSession
from app import Session, User

engine = create_engine("postgresql+psycopg2://app@db.production.invalid/app")

def test_flushed(sync_session):
    sync_session.add_all([User(name="a"), User(name="b")])
    sync_session.flush()
    sync_session.add(User(name="c"))
    assert not "flushed"

def test_own():
    with SyncSession(engine) as mine:
        mine.add(User(name="a"))
        mine.flush()
        mine.add(User(name="b"))
        assert not "own"

def test_savepoint(sync_session):
    user = User(name="a")
    with sync_session.begin_nested() as nested:
        sync_session.add(user)
        sync_session.flush()
        nested.rollback()
    sync_session.add(User(name="b"))
    with sync_session.begin_nested():
        sync_session.flush()
    assert not "savepoint"

async def test_asynchronous(db_session):
    user = User(name="a")
    db_session.add(user)
    db_session.commit()
    assert not "asynchronous"

async def test_own_asynchronous():
    async with Session() as session:
        session.add(User(name="a"))
        await session.flush()
        held = session.commit()
        assert not "own_asynchronous"

def test_committed(sync_session):
    sync_session.add(User(name="a"))
    sync_session.commit()
    sync_session.get(User, 1)
    assert not "committed"

def test_passes(sync_session):
    sync_session.add(User(name="a"))
    sync_session.flush()

def test_nothing():
    assert not "nothing"
"""
ADDED, FLUSHED, LOST = "(added, not flushed)", "(flushed, not committed)", "(flushed, rolled back)"
UNAWAITED = "AsyncSession.commit() was not awaited"
EXPECTED = {
    "flushed": [f"1 User {ADDED}, 2 User {FLUSHED}, in sync_session", "`sync_session.commit()`"],
    "own": [f"1 User {LOST}, 1 User {ADDED}, in mine"],
    "savepoint": [f"not visible to the application: 1 User {FLUSHED}, in sync_session"],
    "asynchronous": [f"1 User {ADDED}, in db_session", "`await db_session.commit()`", f"{UNAWAITED} at test_it.py:36"],
    "own_asynchronous": [f"1 User {LOST}, in session", UNAWAITED],
    "committed": [],
    "nothing": [],
}


def reports(result):
    """Return the report of each failed test by its name, from its title to the next one's."""
    found, name = {}, None
    for line in result.stdout.lines:
        if line.startswith("_____"):
            name = line.strip("_ ").removeprefix("test_")
        elif line.startswith("====="):
            name = None
        found[name] = found.get(name, "") + line + "\n"
    return found


@pytest.fixture(autouse=True)
def closed():
    """Close what the run inside did not await, and pytester remembers: Python would warn of it in another test."""
    yield
    for value in gc.get_objects():
        if type(value) is CoroutineType and value.__qualname__ == "AsyncSession.commit":
            value.close()


@pytest.mark.parametrize("isolation", ["reset", pytest.param("clone", marks=pytest.mark.slow)])
def test_a_failed_test_names_what_it_did_not_commit(suite, isolation):
    """Rows that are added or flushed and not committed, and calls that are not awaited, are named; others are not."""
    result = suite.run(f"--crucible-isolation={isolation}", test_it=TESTS)
    result.assert_outcomes(failed=7, passed=1)
    found = reports(result)
    for name, lines in EXPECTED.items():
        for line in lines:
            assert line in found[name], (name, line, found[name])
        assert bool(lines) is ("not visible to the application" in found[name])
    assert result.stdout.str().count("was not awaited") == 2
    result.stdout.fnmatch_lines(["*test_it.py:36: RuntimeWarning: coroutine 'AsyncSession.commit' was never awaited"])


def test_in_rollback_isolation_the_application_sees_what_is_flushed(suite):
    """Nothing is said of flushed rows there; a call that is not awaited is named as well, whatever filters warnings."""
    result = suite.run(
        "--crucible-isolation=rollback", "-W", "ignore", "-k", "flushed or (asynchronous and not own)", test_it=TESTS
    )
    result.assert_outcomes(failed=2, deselected=6)
    result.stdout.no_fnmatch_line("*not visible to the application*")
    result.stdout.fnmatch_lines(["AsyncSession.commit() was not awaited at *test_it.py:36 in test_asynchronous*"])


def test_python_tells_of_coroutines_as_before():
    """The adapter finds the function that Python calls, which is no public one."""
    import warnings

    from pytest_crucible.sessions.unawaited import HOOK

    assert callable(getattr(warnings, HOOK)), "Python calls another function: see pytest_crucible.sessions.unawaited"
