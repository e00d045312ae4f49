"""What a user writes into a configuration file, a command line or the environment, and what pytest makes of it."""

from __future__ import annotations

import pytest

TEST = """
import people

def test_a():
    people.add("ada")
    assert people.names() == ["ada"]

def test_b():
    assert people.names() == []
"""
INI = """
[{section}]
pythonpath = .
crucible_app = app:app
crucible_metadata = app:Base
"""
TOML = """
[tool.pytest.ini_options]
pythonpath = ["."]
crucible_app = "app:app"
crucible_metadata = ["app:Base"]
"""


def off(suite):
    suite.configure(text="[tool.pytest]\npythonpath = ['.']\n")


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("pyproject.toml", TOML),
        ("pytest.ini", INI.format(section="pytest")),
        ("setup.cfg", INI.format(section="tool:pytest")),
        ("tox.ini", INI.format(section="pytest")),
        ("pytest.toml", "[pytest]\npythonpath=['.']\ncrucible_app='app:app'\ncrucible_metadata=['app:Base']\n"),
    ],
)
def test_each_kind_of_configuration_file(suite, name, text):
    """Two lines, in whichever file pytest reads."""
    (suite.root / "pyproject.toml").unlink()
    suite.configure(text=text, name=name)
    result = suite.run(test_it=TEST)
    result.assert_outcomes(passed=2)
    result.stdout.fnmatch_lines(
        [
            "crucible: embedded PostgreSQL, isolation reset",
            '  crucible_app = "app:app" (configuration file)',
            '  crucible_metadata = [[]"app:Base"[]] (configuration file)',
        ]
    )


def test_flags_alone(suite):
    """Everything can be said on the command line."""
    off(suite)
    result = suite.run("--crucible-metadata=app:Base", "--crucible-isolation=clone", test_it=TEST)
    result.assert_outcomes(passed=2)
    result.stdout.fnmatch_lines(['*crucible_isolation = "clone" (flag --crucible-isolation)'])


def test_the_environment_alone(suite, monkeypatch):
    """Everything can be said in the environment, and a flag wins over it."""
    off(suite)
    monkeypatch.setenv("CRUCIBLE_METADATA", "app:Base")
    monkeypatch.setenv("CRUCIBLE_ISOLATION", "nonsense")
    result = suite.run("--crucible-isolation=reset", test_it=TEST)
    result.assert_outcomes(passed=2)
    result.stdout.fnmatch_lines(['*crucible_metadata = [[]"app:Base"[]] (environment CRUCIBLE_METADATA)'])


def test_addopts_count_as_flags(suite):
    """What stands in addopts is a flag like any other."""
    off(suite)
    suite.configure('addopts = ["--crucible-metadata=app:Base"]\n', text="[tool.pytest]\npythonpath = ['.']\n")
    suite.run(test_it=TEST).assert_outcomes(passed=2)


@pytest.mark.parametrize(
    ("flag", "expected"),
    [
        ("--crucible-isolation=savepoint", "*crucible_isolation*savepoint*"),
        ("--crucible-server=sqlite:///x.db", "*sqlite:*not a PostgreSQL URL*"),
        ("--crucible-seed=many", "*crucible_seed*'many' is not an integer*"),
        ("--crucible-metadata=app.Base", "*crucible_metadata*app.Base*"),
        ("--crucible-databases=app:Other", "*crucible_databases*app:Other*"),
    ],
)
def test_a_wrong_value_is_a_usage_error(suite, flag, expected):
    """One paragraph that names the option and says what to write; no traceback."""
    result = suite.run(flag, test_it=TEST)
    assert result.ret == pytest.ExitCode.USAGE_ERROR
    result.stderr.fnmatch_lines([f"ERROR: {expected}"])
    assert "Traceback" not in result.stderr.str() + result.stdout.str()


@pytest.mark.parametrize(
    ("flag", "expected"),
    [
        ("--crucible-metadata=app:Bse", ["*crucible_metadata*app has no 'Bse'.", "E   Did you mean 'Base'?"]),
        pytest.param(
            "--crucible-metadata=app:User.nme",
            ["*crucible_metadata*app.User has no 'nme'.", "E*Did you mean 'name'*"],
            marks=pytest.mark.slow,
        ),
        ("--crucible-metadata=people:engine", ["*crucible_metadata: people:engine is Engine, which has no metadata."]),
        pytest.param(
            "--crucible-app=app:ap",
            ["*crucible_app*app has no 'ap'.", "E   Did you mean 'app'?"],
            marks=pytest.mark.slow,
        ),
        pytest.param(
            "--crucible-load=app:Session_",
            ["*crucible_load*app has no 'Session_'.", "E   Did you mean 'Session'?"],
            marks=pytest.mark.slow,
        ),
    ],
)
def test_a_wrong_dotted_path_ends_the_run_after_one_test(suite, flag, expected):
    """What was looked up and what exists there, once, without the frames of Crucible."""
    result = suite.run(flag, test_it=TEST)
    result.assert_outcomes(failed=1)
    result.stdout.fnmatch_lines(["test_it.py:*: in test_a", *expected, "*! crucible: no test can have a database: *"])
    result.stdout.no_re_match_line(r".*(site-packages|src/pytest_crucible)/.*: (in |[A-Z]\w*Error)")


@pytest.mark.slow
def test_a_project_without_options_pays_nothing(suite):
    """No line in the header, no fixture, no import, no listener; db_session is unknown."""
    off(suite)
    result = suite.run(
        "--fixtures",
        process=True,
    )
    # At the start of a line: the folder of this checkout may have the name, too.
    assert [line for line in result.outlines if line.startswith("crucible")] == []
    result = suite.run(
        process=True,
        test_it="""
        import sys

        def test_imports():
            heavy = "sqlalchemy fastapi alembic polyfactory asyncpg psycopg httpx asgi_lifespan".split()
            assert [name for name in heavy if name in sys.modules] == []
            assert [name for name in sys.modules if name.startswith("pytest_crucible.") and "redirect" in name] == []

        def test_no_such_fixture(db_session):
            pass
        """,
    )
    result.assert_outcomes(passed=1, errors=1)
    result.stdout.no_fnmatch_line("crucible*")
    result.stdout.fnmatch_lines(["*fixture 'db_session' not found*"])


def test_help_names_every_option(suite):
    """Flags with their meaning, and the keys of the configuration file."""
    result = suite.run("--help")
    assert result.ret == 0
    result.stdout.fnmatch_lines(
        ["a real PostgreSQL for every test*", "*--crucible-app=*", "*crucible_keep_failed (bool)*"]
    )
    assert suite.databases() == []


def test_markers_and_fixtures_are_listed(suite):
    """``--markers`` and ``--fixtures`` explain themselves."""
    result = suite.run("--markers")
    result.stdout.fnmatch_lines(["@pytest.mark.crucible(isolation=None, keep=None, *): how this test is isolated*"])
    result = suite.run("--fixtures")
    result.stdout.fnmatch_lines(["db_session*", "*Yield an ``AsyncSession`` on the worker database*"])


def test_the_plugin_can_be_switched_off(suite):
    """``-p no:crucible`` leaves no fixture behind, and the settings are unknown keys."""
    result = suite.run("-p", "no:crucible", test_it="def test(db_session): pass")
    result.assert_outcomes(errors=1)
    result.stdout.fnmatch_lines(["*fixture 'db_session' not found*"])


def test_collecting_needs_no_server(suite):
    """``--collect-only`` imports the application and asks for no database."""
    suite.configure('crucible_server = "postgresql://nobody@127.0.0.1:1/postgres"\n')
    result = suite.run("--collect-only", "-q", test_it=TEST)
    assert result.ret == 0
    result.stdout.fnmatch_lines(["2 tests collected*"])


def test_tests_without_a_database_need_no_server(suite):
    """A run in which nothing connects never starts a server."""
    suite.configure('crucible_server = "postgresql://nobody@127.0.0.1:1/postgres"\n')
    result = suite.run(test_it="import app\ndef test(): assert app.User(name='ada').name == 'ada'")
    result.assert_outcomes(passed=1)


def test_a_server_that_does_not_answer(suite):
    """Each test fails with the address and the option's name, quickly, and without our own frames."""
    suite.configure('crucible_server = "postgresql://nobody@127.0.0.1:1/postgres"\n')
    result = suite.run(test_it=TEST)
    result.assert_outcomes(failed=2)
    result.stdout.fnmatch_lines(["*ServerError*127.0.0.1*"])
