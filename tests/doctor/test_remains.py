"""What the servers of dead runs have left on this machine."""

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from pytest_crucible.doctor.probes.machine import here
from pytest_crucible.server import remains
from pytest_crucible.server.supervisor.nest import Nest

from .conftest import WELL, Make

WAITING = "import sys; print('ready', flush=True); sys.stdin.read()"


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return the only folder that nests are looked for in."""
    folder = tmp_path / "nests"
    folder.mkdir()
    monkeypatch.setattr(remains, "nests", lambda: [str(folder)])
    return folder


@pytest.fixture
def server(place: Path) -> Iterator[tuple[Path, subprocess.Popen[str]]]:
    """Yield the folder of a server without a supervisor, and a process that runs in it."""
    folder = place / "ships-12345678"
    (folder / "data").mkdir(parents=True)
    (folder / "owner.lock").touch()
    words = [sys.executable, "-c", WAITING, str(folder)]
    with subprocess.Popen(words, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "ready\n"
        (folder / "data" / "postmaster.pid").write_text(f"{process.pid}\n")
        yield folder, process
        process.kill()


def test_a_server_that_still_runs(project_of: Make, server: tuple[Path, subprocess.Popen[str]]):
    """A process in the folder of a dead supervisor is a warning; what crucible gc does ends it and removes both."""
    folder, process = server
    patient = project_of().on(WELL, remains=here().remains)
    [finding] = patient.found("stale-processes")
    assert finding.severity == "warning"
    assert finding.found == f"A server of a dead run still runs: process {process.pid} in {folder}."
    assert "crucible gc" in finding.do
    remains.remove_remains()
    assert process.wait(30) != 0
    assert not folder.exists()
    assert project_of().on(WELL, remains=here().remains).found("stale-processes") == []


def test_a_folder_alone(project_of: Make, server: tuple[Path, subprocess.Popen[str]]):
    """A folder whose server has ended is a note."""
    folder, process = server
    process.kill()
    process.wait(30)
    [finding] = project_of().on(WELL, remains=here().remains).found("stale-processes")
    assert (finding.severity, str(folder) in finding.found) == ("note", True)


def test_a_server_in_use(project_of: Make, place: Path):
    """The folder of a supervisor that lives is no finding, and stays."""
    nest = Nest(str(place), "ships")
    assert project_of().on(WELL, remains=here().remains).found("stale-processes") == []
    assert remains.remove_remains() == []
    assert Path(nest.path).exists()
    nest.remove()
