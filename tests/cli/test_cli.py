"""The command: what it opens, lists and drops."""

import errno
import os
import re
import signal
import subprocess
import sys
from collections.abc import Callable
from datetime import datetime, timedelta, timezone
from importlib.metadata import version
from pathlib import Path

import inner_project
import pytest

import pytest_crucible
from pytest_crucible.cli import main, units
from pytest_crucible.server import private
from pytest_crucible.server.cache import image_folder

PROJECT = {
    "pyproject.toml": inner_project.configuration(
        crucible_app=None, crucible_metadata=["models:Base"], crucible_keep_failed=True
    ),
    "models.py": inner_project.MODELS,
    "test_it.py": """
from models import User

def test_fails(sync_session):
    sync_session.add(User(name="the last one"))
    sync_session.commit()
    assert False

def test_starts_afresh(sync_session):
    assert sync_session.query(User).count() == 0
""",
}


@pytest.fixture
def project(tmp_path: Path, server_cache: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("CRUCIBLE_CACHE", str(server_cache))
    monkeypatch.delenv("PYTHONDONTWRITEBYTECODE", raising=False)
    root = tmp_path / "project"
    root.mkdir()
    for name, text in PROJECT.items():
        (root / name).write_text(text)
    monkeypatch.chdir(root)
    return root


def kept_by_a_run(project: Path) -> str:
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "-p", "no:cacheprovider"], check=False, capture_output=True, text=True
    )
    assert "1 failed, 1 passed" in done.stdout, done.stdout + done.stderr
    [line] = [line for line in done.stdout.splitlines() if line.startswith("crucible: kept")]
    return line.rpartition(" ")[2]


@pytest.fixture
def printed(capsys: pytest.CaptureFixture[str]) -> Callable[..., str]:
    """Run a command in this process, and return what it prints."""

    def printed(*words: str) -> str:
        assert main(list(words)) == 0
        return capsys.readouterr().out

    return printed


def crucible(*words: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-c", "from pytest_crucible.cli import main; raise SystemExit(main())", *words],
        check=False,
        capture_output=True,
        text=True,
    )


@pytest.mark.slow
def test_kept_database_outlives_its_server(project: Path, printed: Callable[..., str]):
    """A failed test's rows can be looked at when the run, and its server, have ended."""
    name = kept_by_a_run(project)
    shown = crucible("psql", name, "-Atc", "SELECT name FROM users")
    assert (shown.stdout, shown.returncode) == ("the last one\n", 0), shown.stderr
    assert re.fullmatch(rf"{name}  +[\d.]+ MB  (just now|1 minute ago)\n", printed("psql"))
    last = crucible("psql", "--last", "-Atc", "SELECT name FROM users")
    assert (last.stdout, last.returncode) == ("the last one\n", 0), last.stderr


@pytest.mark.slow
def test_gc_drops_what_was_kept(project: Path, printed: Callable[..., str]):
    """gc drops kept databases for good: the next server does not have them either."""
    name = kept_by_a_run(project)
    assert printed("gc") == f"dropped {name}\n"
    assert printed("psql").startswith("No database is kept.")
    assert "crucible_t_" in printed("templates")


def test_unknown_name_is_explained(project: Path, capsys: pytest.CaptureFixture[str]):
    """A name that begins no database gets the names that there are."""
    assert main(["psql", "crucible_k_nothing"]) == 1
    assert "No database begins with 'crucible_k_nothing'" in capsys.readouterr().err


def test_wrong_call_exits_with_two(capsys: pytest.CaptureFixture[str]):
    """A command that does not exist is a wrong call."""
    with pytest.raises(SystemExit) as ended:
        main(["psqlx"])
    assert ended.value.code == 2
    assert "psqlx" in capsys.readouterr().err


@pytest.fixture
def cached(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return a cache with an image that was used now, one that was used long ago, and a damaged one."""
    monkeypatch.setenv("CRUCIBLE_CACHE", str(tmp_path / "cache"))
    monkeypatch.setattr(private, "TMP", tmp_path)
    folder = image_folder(None)
    for name in ("new.image", "old.image", "bad.damaged", "killed.image.01234567.new"):
        (folder / name).write_bytes(bytes(2_500_000))
    os.utime(folder / "old.image", (1, 1))
    return folder


def test_gc_of_the_cache(cached: Path, capsys: pytest.CaptureFixture[str]):
    """It removes what no run has used for a week, and what is of no use, and says what it has freed."""
    assert main(["gc", "--cache"]) == 0
    assert [path.name for path in cached.iterdir()] == ["new.image"]
    out = capsys.readouterr().out
    assert f"removed {cached}/old.image (2.5 MB)\n" in out
    assert f"removed {cached}/bad.damaged (2.5 MB)\n" in out
    assert re.search(r"^freed \d+(\.\d)? MB\n", out, re.MULTILINE)
    assert main(["gc", "--cache", "--days", "0"]) == 0
    assert list(cached.iterdir()) == []


def test_the_version(capsys: pytest.CaptureFixture[str]):
    """The command and the package say which version they are."""
    with pytest.raises(SystemExit) as ended:
        main(["--version"])
    assert ended.value.code == 0
    assert capsys.readouterr().out == f"crucible {version('pytest-crucible')}\n"
    assert pytest_crucible.__version__ == version("pytest-crucible")


@pytest.fixture
def unreadable(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return a file that no user may read, root included, in the current folder."""
    file = tmp_path / "pyproject.toml"
    file.write_text("")
    monkeypatch.chdir(tmp_path)

    read = Path.read_text

    def read_text(path: Path, *args: str, **kwargs: str) -> str:
        if path == file:
            raise PermissionError(errno.EACCES, "Permission denied", str(path))
        return read(path, *args, **kwargs)

    monkeypatch.setattr(Path, "read_text", read_text)
    return file


@pytest.mark.usefixtures("unreadable")
@pytest.mark.parametrize("words", [["--help"], ["templates", "--help"], ["--version"]])
def test_help_reads_no_file(words: list[str]):
    """The parser needs nothing of the project."""
    with pytest.raises(SystemExit) as ended:
        main(words)
    assert ended.value.code == 0


def test_an_unreadable_configuration(unreadable: Path, capsys: pytest.CaptureFixture[str]):
    """A command that looks for the root names the file that it cannot read."""
    assert main(["templates"]) == 1
    assert f"{unreadable} cannot be read: Permission denied." in capsys.readouterr().err


@pytest.mark.usefixtures("cached")
@pytest.mark.parametrize(("words", "unbuffered"), [("--help", ""), ("gc --cache", ""), ("gc --cache", "1")])
def test_a_closed_pipe(words: str, unbuffered: str):
    """A command whose output nothing reads any more ends quietly, as others do."""
    reader, writer = os.pipe()
    os.close(reader)
    command = [sys.executable, "-c", "from pytest_crucible.cli import main; raise SystemExit(main())", *words.split()]
    environment = {**os.environ, "PYTHONUNBUFFERED": unbuffered}
    try:
        ended = subprocess.run(command, stdout=writer, stderr=subprocess.PIPE, env=environment, check=False)
    finally:
        os.close(writer)
    assert (ended.returncode, ended.stderr) == (128 + signal.SIGPIPE, b"")


NOW = datetime(2026, 5, 4, 12, tzinfo=timezone.utc)


@pytest.mark.parametrize(
    ("passed", "text"),
    [
        (timedelta(seconds=-5), "just now"),
        (timedelta(seconds=59), "just now"),
        (timedelta(seconds=61), "1 minute ago"),
        (timedelta(hours=23, minutes=59), "23 hours ago"),
        (timedelta(days=3, hours=20), "3 days ago"),
    ],
)
def test_ages(passed: timedelta, text: str):
    """An age has the largest unit that fits."""
    assert units.age(NOW - passed, NOW) == text


@pytest.mark.parametrize(
    ("count", "text"), [(0, "0 B"), (8_150_000, "8.2 MB"), (41_400_000, "41 MB"), (2 << 30, "2.1 GB")]
)
def test_sizes(count: int, text: str):
    """A size has two digits or more, and its unit."""
    assert units.size(count) == text


def test_server_keeps_running_until_it_is_told_to_end(project: Path):
    """`crucible server` says where the server is, holds its share, and gives it back at SIGINT."""
    code = "from pytest_crucible.cli import main; raise SystemExit(main(['server']))"
    with subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        assert process.stdout.readline().startswith("embedded PostgreSQL")
        os.kill(process.pid, signal.SIGINT)
        assert process.wait(20) == 0
