"""An engine of the project's own that does not speak PostgreSQL is not isolated, and the run says so."""

from __future__ import annotations

import pytest
from sqlalchemy import create_engine
from sqlalchemy.engine.interfaces import Dialect

from pytest_crucible.redirect.other_dialects import OtherEngines

SQLITE = """
import pytest
from sqlalchemy import create_engine, text

import librarian
from app import engine as application

other = create_engine("sqlite://")

def ask(engine):
    with engine.connect() as connection:
        return connection.scalar(text("SELECT 1"))

def fresh():
    return create_engine("sqlite://")

@pytest.mark.parametrize("n", range(2))
def test_another_dialect(n):
    assert ask(other) == ask(fresh()) == ask(librarian.engine()) == 1
"""
POSTGRESQL = """
async def test_the_application():
    async with application.connect() as connection:
        assert await connection.scalar(text("SELECT 1")) == 1
"""
# Python 3.13 warns of connections to SQLite, which nothing closes here.
UNCLOSED = ("-W", "ignore::ResourceWarning")
ERROR = "crucible: ERROR: no test used PostgreSQL: the engine made at *"


@pytest.fixture
def mixed(project, pytester, monkeypatch):
    """Return the project, and an installed library that makes an engine for itself."""
    library = pytester.path / "lib" / "site-packages"
    library.mkdir(parents=True)
    (library / "librarian.py").write_text(
        "from sqlalchemy import create_engine\ndef engine():\n    return create_engine('sqlite://')\n", "utf-8"
    )
    pytester.syspathinsert(library)
    monkeypatch.setenv("PYTHONPATH", str(library))  # for processes
    return project


def test_each_line_that_makes_such_an_engine_is_a_warning(mixed):
    """Once, however many tests use it; not for a library's; and the end of the run says it again."""
    result = mixed.run(SQLITE + POSTGRESQL, *UNCLOSED)
    result.assert_outcomes(passed=3, warnings=1)
    assert result.ret == 0
    result.stdout.fnmatch_lines(
        [
            "*test_*.py:8: OtherDialectWarning: The engine made at *test_*.py:8 in <module> speaks sqlite, and *",
            "*Give it the URL of a PostgreSQL database, for example postgresql+psycopg://app@localhost/app: *",
            "*The engine made at *test_*.py:15 in fresh speaks sqlite, *",
            "crucible: the engine made at *.py:8 in <module> speaks sqlite: what it writes is not isolated",
            "crucible: the engine made at *.py:15 in fresh speaks sqlite: what it writes is not isolated",
        ]
    )
    result.stdout.no_fnmatch_line("*librarian.py*")
    result.stdout.no_fnmatch_line(ERROR)


def test_a_run_that_uses_nothing_else_fails(mixed):
    """All tests pass, nothing was isolated: the run ends with an error."""
    result = mixed.run(SQLITE, *UNCLOSED)
    result.assert_outcomes(passed=2, warnings=1)
    assert result.ret == pytest.ExitCode.TESTS_FAILED
    result.stdout.fnmatch_lines([ERROR + '*set crucible_other_dialects = "allow".'])


def test_a_suite_that_means_it(mixed):
    """With "allow", a suite passes where warnings are errors, and nothing is said."""
    result = mixed.run(SQLITE, "-W", "error", "--crucible-other-dialects=allow")
    result.assert_outcomes(passed=2)
    assert result.ret == 0
    result.stdout.no_fnmatch_line("*sqlite*")


def test_where_warnings_are_errors(mixed):
    """The first test that ends has the error, after its reset; no connection is refused in the midst of a test."""
    result = mixed.run(SQLITE + POSTGRESQL, "-W", "error")
    result.assert_outcomes(passed=3, errors=1)


def test_a_suite_that_refuses_it(mixed):
    """With "error", the engine does not connect; a library's does."""
    result = mixed.run(SQLITE + "\ndef test_library(): ask(librarian.engine())", "--crucible-other-dialects=error")
    result.assert_outcomes(failed=2, passed=1)
    result.stdout.fnmatch_lines(["*RedirectError: The engine made at *.py:8 in <module> speaks sqlite, *"])


def test_a_misspelt_choice(project):
    """The error names the choices."""
    result = project.run("def test_it(): pass", "--crucible-other-dialects=alow")
    result.stderr.fnmatch_lines(["*'alow' does not say what to do about an engine *", "*allow*"])


@pytest.mark.slow
@pytest.mark.parametrize("reached", [False, True])
def test_under_xdist(mixed, reached):
    """The controller fails the run only if no worker used PostgreSQL."""
    result = mixed.run(SQLITE + POSTGRESQL * reached, "-n", "2", process=True)
    result.assert_outcomes(passed=2 + reached, warnings=None)
    assert bool(result.ret) is not reached


def test_sqlalchemy_tells_a_dialect_of_its_engine():
    """The public hook ``Dialect.engine_created`` is called for each engine, and is put back."""
    before = Dialect.__dict__["engine_created"]
    others = OtherEngines("warn", ())
    others.install()
    try:
        engine = create_engine("sqlite://")
        assert str(others.connecting(engine.dialect)).endswith("tells_a_dialect_of_its_engine speaks sqlite")
        assert others.connecting(create_engine("postgresql+psycopg://").dialect) is None
    finally:
        others.remove()
    assert Dialect.__dict__["engine_created"] is before
    assert others.connecting(create_engine("sqlite://").dialect) is None
