"""Every step of every page, done as it is written."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pages
import pytest

REPOSITORY = Path(__file__).parents[2]
PAGES = ["README.md", *sorted(f"docs/{path.name}" for path in (REPOSITORY / "docs").glob("*.md"))]
TEXTS = {page: (REPOSITORY / page).read_text("utf-8") for page in PAGES}
# What a reader runs in the repository, and not in a project of theirs.
OURS = {"docs/benchmarks.md"}


def runs(page: str) -> bool:
    return page not in OURS and any(block.runs for block in pages.blocks(TEXTS[page]))


@pytest.fixture(scope="module")
def cache(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where the servers of all pages keep what they share."""
    return tmp_path_factory.mktemp("cache")


@pytest.fixture
def environment(cache: Path) -> dict[str, str]:
    """Return a reader's environment: not this run's."""
    ours = ("CRUCIBLE_", "PYTEST_", "COV_", "COVERAGE_")
    kept = {name: value for name, value in os.environ.items() if not name.startswith(ours)}
    for name in ("CI", "BUILD_NUMBER", "PYTHONDONTWRITEBYTECODE", "VIRTUAL_ENV"):
        kept.pop(name, None)
    return kept | {"CRUCIBLE_CACHE": str(cache), "NO_COLOR": "1", "COLUMNS": "120"}


@pytest.mark.slow
@pytest.mark.parametrize("page", [page for page in PAGES if runs(page)])
def test_every_step_of_a_page(page: str, tmp_path: Path, environment: dict[str, str]):
    """A reader who writes the files and runs the commands of a page sees what the page says."""
    pages.Walk(TEXTS[page], tmp_path, environment).run()


@pytest.mark.parametrize("page", PAGES)
def test_every_block_is_something_that_runs(page: str):
    """A block is a file with its path in the first line, commands, or `text`; nothing is shown that no test runs."""
    unknown = [
        f"line {block.line}: {block.language}"
        for block in pages.blocks(TEXTS[page])
        if block.runs and block.language != "console" and block.path is None
    ]
    assert page in OURS or unknown == []


@pytest.mark.parametrize("page", PAGES)
def test_files_that_a_page_writes_are_tried(page: str):
    """After the last file of a page comes a command that uses it."""
    running = [block for block in pages.blocks(TEXTS[page]) if block.runs]
    assert page in OURS or not running or running[-1].language == "console"


def test_a_walk_fails_where_the_page_is_wrong(tmp_path: Path, environment: dict[str, str]):
    """A page that promises other output, or another exit code, fails."""
    told = "```console\n$ echo one; echo two\none\n…w…\n```\n"
    pages.Walk(told, tmp_path, environment).run()
    with pytest.raises(AssertionError, match="not in the output: 'one'"):
        pages.Walk(told.replace("…w…", "one"), tmp_path, environment).run()
    with pytest.raises(AssertionError, match="exit code 0 instead of 1"):
        pages.Walk(told.replace("console", "console exit=1"), tmp_path, environment).run()


def test_a_block_with_a_path_is_a_file(tmp_path: Path, environment: dict[str, str]):
    """Files are written; the tables of a pyproject.toml are merged."""
    page = "```toml\n# pyproject.toml\n[tool.pytest]\ntestpaths = ['elsewhere']\n```\n"
    page += "```sh\n# some/file.sh\necho hello\n```\n"
    pages.Walk(page + "```console\n$ sh some/file.sh\nhello\n```\n", tmp_path, environment).run()
    configuration = (tmp_path / "pyproject.toml").read_text("utf-8")
    assert "elsewhere" in configuration
    assert "crucible_app" in configuration


@pytest.mark.slow
def test_the_sample_project_needs_no_page(tmp_path: Path, environment: dict[str, str]):
    """The project that pages begin with is right as it is."""
    pages.Walk("", tmp_path, environment).run()
    done = subprocess.run(
        [sys.executable, "-c", "import app.main"], cwd=tmp_path, env=environment, check=False, capture_output=True
    )
    assert done.returncode == 0, done.stderr
