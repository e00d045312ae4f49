"""The plugin is off by mistake: a misspelt option, or none at all where a test asks for one of its fixtures."""

from __future__ import annotations

import pytest

from pytest_crucible.report.off import FIXTURES

TEST = "def test_it(db_session): pass\n"
CONFTEST = "raise AssertionError('imported, and no engine is redirected')\n"


def says(result, *lines):
    assert result.ret == pytest.ExitCode.USAGE_ERROR
    result.stderr.fnmatch_lines([f"ERROR: {lines[0]}", *lines[1:]])
    assert "imported" not in result.stderr.str() + result.stdout.str()


def test_a_misspelt_key_ends_the_run(pytester):
    """The run ends before anything of the project is imported, in three lines that name the option meant."""
    pytester.makepyprojecttoml('[tool.pytest]\ncrucible_metdata = ["app:Base"]')
    pytester.makepyfile(TEST)
    pytester.makeconftest(CONFTEST)
    says(
        pytester.runpytest_inprocess(),
        "crucible_metdata in [[]tool.pytest] of pyproject.toml is no option of Crucible.",
        "Probably crucible_metadata is meant.*",
        "Write crucible_metadata.",
    )


@pytest.mark.parametrize("strict", ["", "strict_config = true\n", "strict = true\n"])
def test_a_misspelt_key_is_said_once(pytester, strict):
    """Where pytest refuses unknown keys itself, there is still one error."""
    pytester.makepyprojecttoml(f'[tool.pytest]\n{strict}crucible_metdata = ["app:Base"]')
    pytester.makepyfile("def test_it(): pass")
    result = pytester.runpytest_inprocess()
    assert result.ret == pytest.ExitCode.USAGE_ERROR
    assert (result.stderr.str() + result.stdout.str()).count("crucible_metdata") == 1


def test_a_misspelt_flag_or_variable_ends_the_run(pytester, monkeypatch):
    """So it does after the command, in addopts and in the environment."""
    pytester.makepyfile(TEST)
    pytester.makeconftest(CONFTEST)
    says(pytester.runpytest_inprocess("--crucible-metdata=app:Base"), "--crucible-metdata in the command line *")
    monkeypatch.setenv("PYTEST_ADDOPTS", "--crucible-isolaton=clone")
    result = pytester.runpytest_inprocess()
    assert "--crucible-isolaton" in result.stderr.str()
    monkeypatch.setenv("PYTEST_ADDOPTS", "")
    monkeypatch.setenv("CRUCIBLE_METDATA", "app:Base")
    says(pytester.runpytest_inprocess(), "CRUCIBLE_METDATA in the environment is no option of Crucible.")


def test_flags_of_the_project_that_look_like_ours(pytester):
    """A conftest file may have flags and keys of its own with our prefix."""
    pytester.makeini("[pytest]\ncrucible_tenant = acme\n")
    pytester.makeconftest("""
    def pytest_addoption(parser):
        parser.addoption("--crucible-tenants", default=None)
        parser.addini("crucible_tenant", "")
    """)
    pytester.makepyfile("def test_it(pytestconfig): assert pytestconfig.getoption('crucible_tenants') == '3'")
    pytester.runpytest_inprocess("--crucible-tenants=3", "-p", "no:asyncio", "-W", "error").assert_outcomes(passed=1)


@pytest.mark.parametrize(
    ("file", "text", "line"),
    [
        (
            "pyproject.toml",
            "[tool.pytest]\naddopts = ['-q']",
            'Write crucible_metadata = [[]"app.models:Base"], crucible_alembic = *',
        ),
        ("pytest.ini", "[pytest]", "Write crucible_metadata = app.models:Base, crucible_alembic = alembic.ini*"),
    ],
)
def test_a_fixture_of_ours_that_is_not_found(pytester, file, text, line):
    """pytest's error is followed by what to set, in the spelling of the file that it has read."""
    (pytester.path / file).write_text(text, "utf-8")
    pytester.makepyfile(TEST, test_two="def test_other(no_such_fixture): pass")
    for argument in ("--tb=short", "--show-capture=no"):
        result = pytester.runpytest_inprocess(argument, "-p", "no:asyncio")
        result.assert_outcomes(errors=2)
        result.stdout.fnmatch_lines(
            [
                "*fixture 'db_session' not found",
                f"db_session is a fixture of pytest-crucible, which is off: * (pytest has read {file}).",
                line,
            ]
        )
        assert result.stdout.str().count("is off") == 1


@pytest.mark.slow
def test_a_fixture_that_is_not_found_by_a_worker(pytester):
    """The line comes with the report from a worker of pytest-xdist."""
    pytester.makepyfile(TEST)
    result = pytester.runpytest_subprocess("-n1")
    result.stdout.fnmatch_lines(["*fixture 'db_session' not found", "db_session is a fixture of pytest-crucible, *"])


def test_every_public_fixture_is_known(suite):
    """Fixtures of Crucible that a test may ask for are recognised where the plugin is off."""
    suite.run("--fixtures", "-q")
    shown = suite.run("--fixtures").stdout.lines
    named = {line.split()[0] for line in shown if "pytest_crucible/fixtures" in line}
    assert {name for name in named if not name.startswith("crucible_")} == FIXTURES | {"faker_seed"}
