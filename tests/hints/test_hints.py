"""Where a hint of Crucible's on an error of the application is shown, and where it is not."""

from __future__ import annotations

import builtins
import sys

import pytest

from pytest_crucible.errors.hints import Hints, chain, refusals

# A hint of the test's own on whatever PostgreSQL refuses.
CONFTEST = """
import pytest
from pytest_crucible.fixtures import RUN
from pytest_crucible.errors.hints import refusals

def explain(error):
    return [f"hint on {refusal.state} in {refusal.statement}" for refusal in refusals(error)]

def pytest_load_initial_conftests(early_config):
    early_config.stash[RUN].hints.explain.append(explain)
"""


@pytest.fixture
def hinting(project, pytester):
    """Return the project, with that hint."""
    pytester.makepyfile(hinting=CONFTEST)
    pytester.syspathinsert()

    def run(tests: str, *arguments: str):
        # The sources of SQLAlchemy's frames take pytest a second.
        return project.run(tests, "-p", "hinting", "--tb=native", *arguments)

    return run


TESTS = """
import psycopg
import pytest
from sqlalchemy import create_engine, text
from sqlalchemy.exc import DBAPIError

from app import engine as asyncpg_engine

def refuse(driver):
    with create_engine(f"postgresql+{driver}://app@db.invalid/app").connect() as connection:
        connection.execute(text("SELECT 1/0"))

@pytest.fixture(params=["psycopg", "psycopg2"])
def broken(request):
    refuse(request.param)

def test_set_up(broken):
    pass

@pytest.fixture(scope="module")
def wide():
    refuse("psycopg")

@pytest.mark.parametrize("n", range(2))
def test_pytest_raises_the_same_error_for_both(wide, n):
    pass

@pytest.fixture
def untidy():
    yield
    refuse("psycopg2")

def test_teardown(untidy):
    pass

async def test_asyncpg():
    async with asyncpg_engine.connect() as connection:
        await connection.execute(text("SELECT 1/0"))

def test_cause(database_url):
    with psycopg.connect(database_url) as connection:
        try:
            connection.execute("SELECT 1/0")
        except psycopg.Error as error:
            raise ValueError("wrong") from error

def test_expected():
    with pytest.raises(DBAPIError) as caught:
        refuse("psycopg")
    assert not hasattr(caught.value, "__notes__")
"""


def test_a_hint_stands_at_errors_of_set_up_call_and_teardown(hinting):
    """Of all drivers, through SQLAlchemy and past it; an error that the test expects has none."""
    result = hinting(TESTS)
    result.assert_outcomes(passed=2, failed=2, errors=5)
    lines = [line for line in result.outlines if "hint on 22012 in" in line]
    assert len(lines) == 7, lines
    assert sum("in SELECT 1/0" in line for line in lines) == 6, "the raw driver's error knows no statement"


def test_a_hint_stands_at_an_error_while_tests_are_collected(hinting):
    """A module that asks the database while it is imported is refused with the hint as well."""
    result = hinting(TESTS.partition("@pytest")[0] + 'refuse("psycopg")')
    result.assert_outcomes(errors=1)
    result.stdout.fnmatch_lines(["*hint on 22012 in SELECT 1/0"])


@pytest.mark.parametrize(
    "hook",
    [
        "module",
        pytest.param("pytest_configure", marks=pytest.mark.slow),
        pytest.param("pytest_sessionstart", marks=pytest.mark.slow),
    ],
)
def test_a_hint_stands_at_an_error_of_a_conftest(hinting, project, hook):
    """When it is imported, and in its hooks, where pytest prints an internal error."""
    body = TESTS.partition("@pytest")[0]
    body += 'refuse("psycopg")' if hook == "module" else f'def {hook}():\n    refuse("psycopg")'
    conftest = project.root / "conftest.py"
    conftest.write_text(body, "utf-8")
    try:
        result = hinting("def test_it(): pass")
    finally:
        conftest.unlink()
    assert result.ret != 0
    printed = [line for line in [*result.outlines, *result.errlines] if "hint on 22012 in SELECT 1/0" in line]
    assert len(printed) == 1


def test_the_chain_of_an_error():
    """Causes, contexts and members of groups are in it once each; a suppressed context is not."""
    inner = KeyError("inner")
    outer = ValueError("outer")
    outer.__cause__ = inner
    inner.__context__ = outer
    assert list(chain(outer)) == [outer, inner]
    quiet = ValueError("quiet")
    quiet.__context__, quiet.__suppress_context__ = inner, True
    assert list(chain(quiet)) == [quiet]
    if sys.version_info >= (3, 11):
        group = builtins.ExceptionGroup("group", [quiet, outer])
        assert list(chain(group)) == [group, quiet, outer, inner]
    assert list(refusals(outer)) == []


def test_a_hint_that_cannot_be_found_is_none():
    """An error in one of our functions does not hide the error that it was asked about, nor the other hints."""

    def broken(error: BaseException) -> list[str]:
        raise ZeroDivisionError

    hints = Hints(lambda: [broken, lambda error: ["a hint", "a hint"]])
    assert hints.on(ValueError("it")) == ["a hint"]
    assert hints.on(ValueError("a hint stands here")) == []
    assert hints.on(KeyboardInterrupt()) == []
    error = ValueError("it")
    rest = hints.attach(error)
    assert [*rest, *getattr(error, "__notes__", ())] == ["a hint"]
