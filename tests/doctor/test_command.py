"""The command: what it prints, and how it exits."""

import inspect
import json
import os
import subprocess
import sys
from importlib.metadata import version
from pathlib import Path

import pytest
from packaging.version import Version

from pytest_crucible.cli import main
from pytest_crucible.doctor import CHECKS

from .conftest import Make

FAULTY = {
    "tests/conftest.py": """
        from app.main import app

        def undo():
            app.dependency_overrides.clear()
    """,
}
STATIC = ("--no-import", "--no-server")


@pytest.fixture
def faulty(project_of: Make) -> Path:
    return project_of(FAULTY).root


def test_text_names_place_cause_and_remedy(faulty: Path, capsys: pytest.CaptureFixture[str]):
    """A finding is shown by file and line, with its cause and what to write instead."""
    assert main(["doctor", "--root", str(faulty), *STATIC]) == 1
    shown = capsys.readouterr().out
    assert "tests/conftest.py\n  tests/conftest.py:5: warning [overrides-cleared]\n" in shown
    assert "    → Remove only your own: app.dependency_overrides.pop(get_db)." in shown
    assert shown.splitlines()[-1].startswith("crucible doctor: 1 warning")


def test_json_has_a_stable_schema(faulty: Path, capsys: pytest.CaptureFixture[str]):
    """Programs read the same names in each release."""
    assert main(["doctor", "--root", str(faulty), "--json", *STATIC]) == 1
    told = json.loads(capsys.readouterr().out)
    assert list(told) == ["schema", "root", "versions", "findings", "counts", "ignored"]
    assert (told["schema"], told["root"]) == (1, str(faulty))
    assert {"Python", "pytest", "sqlalchemy"} <= set(told["versions"])
    [finding] = [one for one in told["findings"] if one["code"] == "overrides-cleared"]
    assert list(finding) == ["code", "severity", "file", "line", "found", "why", "do"]
    assert (finding["file"], finding["line"], finding["severity"]) == ("tests/conftest.py", 5, "warning")
    assert told["counts"]["warning"] == 1
    off = next(one for one in told["findings"] if one["code"] == "crucible-off")
    assert (off["file"], off["line"]) == ("pyproject.toml", None)


def test_notes_are_no_failure_unless_strict(project_of: Make):
    """A note alone exits with 0; with --strict it counts as well."""
    root = project_of().root
    assert main(["doctor", "--root", str(root), *STATIC]) == 0
    assert main(["doctor", "--root", str(root), *STATIC, "--strict"]) == 1


def test_a_code_can_be_ignored(faulty: Path, capsys: pytest.CaptureFixture[str]):
    """--ignore leaves out all findings of a code."""
    assert main(["doctor", "--root", str(faulty), "--ignore", "overrides-cleared", *STATIC]) == 0
    assert "overrides-cleared" not in capsys.readouterr().out


@pytest.mark.parametrize(
    "line",
    [
        "app.dependency_overrides.clear()  # crucible: ignore[overrides-cleared]",
        "# crucible: ignore[session-shared, overrides-cleared] nobody sets any\n    app.dependency_overrides.clear()",
    ],
)
def test_a_comment_ignores_one_finding(project_of: Make, line: str):
    """A comment on the line, or above it, ignores what is found there."""
    diagnosis = project_of({"tests/conftest.py": f"from app.main import app\n\ndef undo():\n    {line}\n"}).diagnosis()
    assert "overrides-cleared" not in [finding.code for finding in diagnosis.findings]
    assert diagnosis.ignored == 1


def test_a_comment_of_another_code_ignores_nothing(project_of: Make):
    """Only the code that the comment names is ignored."""
    line = "app.dependency_overrides.clear()  # crucible: ignore[session-shared]"
    patient = project_of({"tests/conftest.py": f"from app.main import app\n\ndef undo():\n    {line}\n"})
    assert len(patient.found("overrides-cleared")) == 1


def test_an_unknown_code_is_explained(faulty: Path, capsys: pytest.CaptureFixture[str]):
    """A misspelt code is an error that lists those that there are."""
    assert main(["doctor", "--root", str(faulty), "--ignore", "overide-cleared", *STATIC]) == 1
    shown = capsys.readouterr().err
    assert "There is no finding 'overide-cleared'." in shown
    assert "overrides-cleared" in shown


def test_a_configuration_that_nobody_can_read(project_of: Make, capsys: pytest.CaptureFixture[str]):
    """A pyproject.toml that is no TOML is said, and not a traceback."""
    root = project_of({"pyproject.toml": "[tool.pytest\n"}).root
    assert main(["doctor", "--root", str(root), *STATIC]) == 1
    assert "is not TOML" in capsys.readouterr().err


def test_every_check_is_in_the_table():
    """A function of a family of checks that yields findings is registered, or it would never run."""
    registered = {check.run for check in CHECKS}
    families = {sys.modules[check.run.__module__] for check in CHECKS}
    public = {
        function
        for family in families
        for name, function in inspect.getmembers(family, inspect.isgeneratorfunction)
        if not name.startswith("_") and function.__module__ == family.__name__
    }
    assert public <= registered


def test_codes_are_unique_and_described():
    """Each code stands for one check, in lower case, with a line for the docs."""
    codes = [check.code for check in CHECKS]
    assert len(set(codes)) == len(codes)
    assert all(code == code.lower() and " " not in code for code in codes)
    assert all(check.meaning for check in CHECKS)


@pytest.mark.slow
def test_what_is_installed_is_what_the_command_sees(project_of: Make, tmp_path: Path):
    """The command looks at the environment that it runs in: a pytest-alembic beside it is found."""
    packages = tmp_path / "packages" / "pytest_alembic-0.13.1.dist-info"
    packages.mkdir(parents=True)
    (packages / "METADATA").write_text("Metadata-Version: 2.1\nName: pytest_alembic\nVersion: 0.13.1\n")
    done = subprocess.run(
        [Path(sys.executable).with_name("crucible"), "doctor", "--root", project_of().root, "--json", *STATIC],
        env=os.environ | {"PYTHONPATH": str(packages.parent)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 1, done.stderr
    codes = [finding["code"] for finding in json.loads(done.stdout)["findings"]]
    assert ("pytest-alembic" in codes) == (Version(version("pytest")) >= Version("9.2"))


def test_a_folder_that_is_not_there(tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    """A root that does not exist is an error."""
    assert main(["doctor", "--root", str(tmp_path / "nowhere"), *STATIC]) == 1
    assert "There is no folder" in capsys.readouterr().err
