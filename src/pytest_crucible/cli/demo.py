"""``crucible demo``: a small application and its suite, written to a temporary folder, run and explained."""

from __future__ import annotations

import argparse
import importlib.util
import os
import subprocess
import sys
import tempfile
import textwrap
import time
from dataclasses import dataclass
from pathlib import Path

from ..errors import CrucibleError, UsageError
from . import databases

SAMPLE = Path(__file__).parents[1] / "samples" / "theatre"
NEEDED = ("asyncpg", "fastapi", "pytest_asyncio")
# Of Crucible's variables, these say something about the machine, and the demo follows them.
OF_THE_MACHINE = ("CRUCIBLE_CACHE", "CRUCIBLE_POSTGRES")
FOREIGN = ("CRUCIBLE_", "PYTEST_", "PYTHONWARNINGS", "COV_", "COVERAGE_")


@dataclass(frozen=True)
class Chapter:
    """One run of pytest.

    Attributes:
        title: The subject.
        text: The explanation before the run, one paragraph in each line.
        files: The test files.
        code: The exit code that the run must have.
    """

    title: str
    text: str
    files: tuple[str, ...]
    code: int = 0


CHAPTERS = (
    Chapter(
        "Real commits",
        "The first run starts a private PostgreSQL and builds the schema.\n"
        "test_requests: twenty requests for five seats, each in a transaction of its own. They really commit, row locks"
        " make them wait for one another, and the next test finds an empty database.\n"
        "test_notify: PostgreSQL delivers a notification when a transaction commits. A test that is only rolled back"
        " never hears one.\n"
        "test_ddl: a test alters a table and creates another. Crucible notices, and the next test gets a fresh clone of"
        " the template.",
        ("tests/test_requests.py", "tests/test_notify.py", "tests/test_ddl.py"),
    ),
    Chapter(
        "A leak",
        "A test writes in a session that it neither commits nor closes. It passes with a warning that names the line,"
        " and the next test is not disturbed.",
        ("tests/test_leak.py",),
    ),
    Chapter(
        "A failed test",
        "This one fails on purpose. Its database is kept, so that its rows can be looked at.",
        ("tests/test_failure.py",),
        code=1,
    ),
)
QUERY = "TABLE bookings"
WIDTH = 80


def run(options: argparse.Namespace) -> int:
    """Write the sample, run each chapter, and say where the files are.

    Returns:
        0; 1 if a run ended otherwise than it must.

    Raises:
        UsageError: If a package of the demo is missing, or there is no folder to write to.
    """
    _refuse_missing()
    begun = time.monotonic()
    folder = _written()
    _say(f"A small application and its suite are in {folder}.")
    unexpected = [chapter for chapter in CHAPTERS if _run(chapter, folder) != chapter.code]
    if unexpected:
        titles = ", ".join(chapter.title for chapter in unexpected)
        raise CrucibleError(
            f"The demo ended otherwise than it should: {titles}.",
            why="The output above shows what went wrong.",
            do=f"Run `crucible doctor` in {folder}, which looks at this machine.",
        )
    _heading("Its database", "The last kept database, opened with psql.")
    _command(f'crucible psql --last -c "{QUERY}"')
    databases.psql(argparse.Namespace(root=folder, server="embedded", name=None, last=["-X", "-c", QUERY], words=[]))
    _say(_end(folder, time.monotonic() - begun))
    return 0


def _refuse_missing() -> None:
    missing = [name for name in NEEDED if importlib.util.find_spec(name) is None]
    if missing:
        raise UsageError(
            f"The demo needs {', '.join(missing)}.",
            why="The sample application is written with FastAPI and asyncpg, which Crucible itself does not need.",
            do="Run: pip install 'pytest-crucible[demo]'",
        )


def _written() -> Path:
    """Write the sample to a new temporary folder, and return that folder."""
    try:
        folder = Path(tempfile.mkdtemp(prefix="crucible-demo-")).resolve()
    except OSError as error:
        raise UsageError(
            f"The sample cannot be written: {error}.",
            do="Name a folder that can be written to: TMPDIR=/path crucible demo",
        ) from error
    for file in SAMPLE.rglob("*"):
        if file.is_file() and "__pycache__" not in file.parts:
            target = folder / file.relative_to(SAMPLE)
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_bytes(file.read_bytes())  # not copied: the mode may be that of a read-only installation
    return folder


def _run(chapter: Chapter, folder: Path) -> int:
    words = ["pytest", "-v", "--no-header", *chapter.files]
    _heading(chapter.title, chapter.text)
    _command(" ".join(words))
    result = subprocess.run(
        [sys.executable, "-m", *words], cwd=folder, env=_environment(), stdin=subprocess.DEVNULL, check=False
    )
    return result.returncode


def _environment() -> dict[str, str]:
    """Return the environment without what another suite, or a project, has set for itself."""
    return {name: value for name, value in os.environ.items() if name in OF_THE_MACHINE or not name.startswith(FOREIGN)}


def _heading(title: str, text: str) -> None:
    _say("\n".join([_bold(title), *(textwrap.fill(line, WIDTH) for line in text.splitlines())]))


def _command(text: str) -> None:
    print(f"\n$ {text}", flush=True)


def _bold(text: str) -> str:
    is_plain = "NO_COLOR" in os.environ or os.environ.get("TERM") == "dumb" or not sys.stdout.isatty()
    return text if is_plain else f"\x1b[1m{text}\x1b[0m"


def _say(text: str) -> None:
    print(f"\n{text}", flush=True)


def _end(folder: Path, seconds: float) -> str:
    return (
        f"{seconds:.0f} seconds; no server is left running. The files are in\n\n    {folder}\n\n"
        + textwrap.fill(
            "app/ is an ordinary application, tests/ has one file for each of these runs, and pyproject.toml says in"
            " two lines which application it is, and what the schema is built from. Run pytest there again, or change"
            " a test.",
            WIDTH,
        )
        + "\nIn a project of your own: crucible init"
    )
