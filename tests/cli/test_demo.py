"""``crucible demo``: the sample, and its run as a newcomer sees it."""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import time
from pathlib import Path

import psutil
import pytest

from pytest_crucible.cli import demo, main
from pytest_crucible.errors import UsageError
from pytest_crucible.settings import OPTIONS
from pytest_crucible.settings.files import toml

OPTIONS_OF_COMMAND = argparse.Namespace(root=Path())


def test_each_chapter_has_its_file():
    """Each test file of the sample is shown, and only the last one fails."""
    files = sorted(path.relative_to(demo.SAMPLE).as_posix() for path in demo.SAMPLE.glob("tests/test_*.py"))
    assert sorted(file for chapter in demo.CHAPTERS for file in chapter.files) == files
    assert [chapter.code for chapter in demo.CHAPTERS] == [0, 0, 1]


def test_the_sample_s_settings():
    """The sample sets options that exist, and its requirements are those of the extra."""
    settings = toml(demo.SAMPLE / "pyproject.toml")["tool"]["pytest"]
    known = {option.name for option in OPTIONS}
    assert {name for name in settings if name.startswith("crucible_")} <= known
    extra = toml(Path(__file__).parents[2] / "pyproject.toml")["project"]["optional-dependencies"]["demo"]
    names = sorted(requirement.partition(">")[0].replace("-", "_") for requirement in extra)
    assert names == sorted(demo.NEEDED)


def test_a_package_that_is_missing(monkeypatch):
    """Without the extra, the error says how to install it, and nothing is written."""
    monkeypatch.setattr(demo, "NEEDED", ("fastapi", "no_such_package"))
    monkeypatch.setattr(demo, "_written", lambda: pytest.fail("it wrote"))
    with pytest.raises(UsageError, match=r"needs no_such_package\.\n(.|\n)*pip install 'pytest-crucible\[demo\]'"):
        demo.run(OPTIONS_OF_COMMAND)


def test_no_folder_to_write_to(monkeypatch, tmp_path):
    """Where no temporary folder can be made, the error says how to name one."""
    monkeypatch.setattr(demo.tempfile, "tempdir", str(tmp_path / "missing"))
    with pytest.raises(UsageError, match="TMPDIR=/path crucible demo"):
        demo.run(OPTIONS_OF_COMMAND)


def test_a_chapter_that_goes_wrong(monkeypatch, tmp_path, capsys):
    """A run that ends otherwise than it should is an error that names it, with the exit code 1."""
    monkeypatch.setattr(demo.tempfile, "tempdir", str(tmp_path))
    monkeypatch.setattr(demo, "_run", lambda chapter, folder: 3 if chapter.title == "A leak" else chapter.code)
    assert main(["demo"]) == 1
    error = capsys.readouterr().err
    assert "otherwise than it should: A leak." in error
    assert "crucible doctor" in error


def test_the_environment_of_its_runs(monkeypatch):
    """Settings of another project or suite do not reach the sample; those of the machine do."""
    names = ("CRUCIBLE_CACHE", "CRUCIBLE_SERVER", "PYTEST_ADDOPTS", "PYTHONPATH", "NO_COLOR")
    for name in names:
        monkeypatch.setenv(name, "/x")
    assert [name for name in names if name in demo._environment()] == ["CRUCIBLE_CACHE", "PYTHONPATH", "NO_COLOR"]


def test_a_read_only_installation(monkeypatch, tmp_path):
    """The written files may be changed although those of the installation may not."""
    monkeypatch.setattr(demo.tempfile, "tempdir", str(tmp_path))
    folder = demo._written()
    assert (folder / "app/main.py").stat().st_mode & 0o200
    assert {path.name for path in folder.iterdir()} == {"README.md", "app", "pyproject.toml", "tests"}


@pytest.mark.slow
def test_as_a_newcomer_sees_it(tmp_path):
    """It runs without a terminal and from a read-only folder, and leaves its files, and no process."""
    empty, temporary, cache = tmp_path / "empty", tmp_path / "tmp", tmp_path / "cache"
    empty.mkdir(mode=0o555)
    temporary.mkdir()
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}
    environment |= {"TMPDIR": str(temporary), "CRUCIBLE_CACHE": str(cache), "NO_COLOR": "1"}
    # What the shell of a developer has for another project.
    environment |= {"CRUCIBLE_ISOLATION": "clone", "PYTHONWARNINGS": "error", "PYTEST_ADDOPTS": "--no-such-flag"}
    command = Path(sys.executable).with_name("crucible")
    result = subprocess.run(
        [command, "demo"], cwd=empty, env=environment, stdin=subprocess.DEVNULL, capture_output=True, text=True,
        timeout=300, check=False,
    )  # fmt: skip
    assert result.returncode == 0, result.stdout + result.stderr
    [folder] = temporary.glob("crucible-demo-*")
    output = result.stdout
    for chapter in demo.CHAPTERS:
        assert f"\n{chapter.title}\n" in output
        assert f"$ pytest -v --no-header {' '.join(chapter.files)}" in output
    assert "5 passed in" in output
    assert "LeakWarning: The test left a transaction open that has written" in output
    assert "1 clone after ALTER TABLE shows, CREATE TABLE critics" in output
    assert "crucible: kept crucible_k_test_a_booking_takes_two_seats" in output
    assert "  1 |       1 | Ada" in output
    assert str(folder) in output.partition("no server is left running")[2]
    assert "\x1b" not in output
    assert list(empty.iterdir()) == []
    assert _gone(cache)


def _gone(cache: Path) -> bool:
    """Return whether every process that has *cache* in its environment ends within some seconds."""
    deadline = time.monotonic() + 20
    while time.monotonic() < deadline:
        if not any(_has(process, str(cache)) for process in psutil.process_iter()):
            return True
        time.sleep(0.1)
    return False


def _has(process: psutil.Process, cache: str) -> bool:
    try:
        return process.environ().get("CRUCIBLE_CACHE") == cache
    except psutil.Error:
        return False
