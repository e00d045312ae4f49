"""One error for a run that cannot have a database, and not one for each test."""

from __future__ import annotations

import pytest

TESTS = """
    import pytest

    @pytest.mark.parametrize("n", range(5))
    def test_it(sync_session, n):
        sync_session.connection()

    def test_without_database(): ...
"""


@pytest.mark.parametrize(
    ("option", "found"),
    [
        (
            "--crucible-metadata=nosuchpackage.models:Base",
            "*crucible_metadata = 'nosuchpackage.models:Base': there is no*",
        ),
        ("--crucible-load=nosuchmodule:load", "*crucible_load = 'nosuchmodule:load': there is no module*"),
        ("--crucible-alembic=nowhere.ini", "*crucible_alembic = 'nowhere.ini': there is no file*"),
    ],
)
def test_what_names_nothing(project, option, found):
    """A package or a file that is not there ends the run before anything is collected."""
    result = project.run(TESTS, option)
    assert result.ret == pytest.ExitCode.USAGE_ERROR
    result.stderr.fnmatch_lines([found])
    result.stdout.no_fnmatch_line("*collected*")


@pytest.mark.slow
@pytest.mark.parametrize(
    "option", ["--crucible-metadata=app:Bass", "--crucible-metadata=app.models:Base", "--crucible-load=app:User.id"]
)
def test_what_only_an_import_finds(project, option):
    """A wrong setting that shows when the application is imported ends the run after the first test."""
    result = project.run(TESTS, option)
    result.assert_outcomes(failed=1)
    result.stdout.fnmatch_lines(["*! crucible: no test can have a database: crucible_* !*"])


def test_a_module_below_the_tests(project):
    """A module that becomes importable with the collection is not missing at the start."""
    folder = project.root / "below"
    folder.mkdir(exist_ok=True)
    (folder / "crucible_below.py").write_text("def load(): ...")
    (folder / "test_below.py").write_text("def test_it(sync_session): ...")
    project.run("", str(folder), "--crucible-load=crucible_below:load").assert_outcomes(passed=1)


@pytest.mark.parametrize("arguments", [(), pytest.param(("-n", "2"), marks=pytest.mark.slow)])
def test_a_template_that_cannot_be_built(project, arguments, numbers):
    """The first test that needs it says why, the others in one line; what needs none runs."""
    name = f"broken{numbers()}"
    (project.root / f"{name}.py").write_text("def load():\n    raise RuntimeError('no such city')\n")
    result = project.run(TESTS, f"--crucible-load={name}:load", *arguments)
    result.assert_outcomes(failed=5, passed=1)
    whole = [line for line in result.stdout.lines if "Correct it; nothing was kept" in line]
    assert len(whole) == (2 if arguments else 1)
    assert (
        sum("crucible: no test could have the database: The template could" in line for line in result.stdout.lines)
        == 1
    )
    result.stdout.fnmatch_lines(["*as the first error of this run says: The template could not be built*no such city*"])
    assert result.ret == pytest.ExitCode.TESTS_FAILED
