"""Projects with an embedded server, and clients of it that can be killed."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import psutil
import psycopg
import pytest

from pytest_crucible.server import Lease, lease
from pytest_crucible.server.embedded.lease import EmbeddedLease

CLIENT = Path(__file__).parent / "client.py"


class Client:
    """Another process with a lease."""

    def __init__(self, root: Path, cache: Path, *mode: str) -> None:
        self.process = subprocess.Popen(
            [sys.executable, str(CLIENT), str(root), str(cache), *mode],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )

    def wait_ready(self) -> Path:
        """Return the nest of the server it has a lease of."""
        line = self.process.stdout.readline().split()
        assert line[:1] == ["ready"], line
        return Path(line[1])

    def kill(self) -> None:
        self.process.kill()

    def leave(self) -> int:
        """Release the lease and end."""
        self.process.stdin.close()
        status = self.process.wait(30)
        self.process.stdout.close()
        return status

    def bury(self) -> None:
        self.process.kill()
        self.process.wait(30)
        self.process.stdin.close()
        self.process.stdout.close()


def processes_in(nest: Path) -> list[psutil.Process]:
    """Return the processes of the server in *nest*: its postgres, and those with files in its data directory."""
    found = []
    for process in psutil.process_iter():
        try:
            if str(nest) in " ".join(process.cmdline()) or process.cwd() == f"{nest}/data":
                found.append(process)
        except (psutil.NoSuchProcess, psutil.AccessDenied):
            continue
    return found


def supervisor_of(nest: Path) -> psutil.Process:
    """Return the process that owns *nest*: the parent of its postgres."""
    return psutil.Process(postmaster_of(nest)).parent()


def postmaster_of(nest: Path) -> int:
    return int(Path(nest, "data", "postmaster.pid").read_text().splitlines()[0])


def segment_of(nest: Path) -> str:
    """Return the number of the server's System V segment."""
    return Path(nest, "data", "postmaster.pid").read_text().splitlines()[6].split()[1]


def segments() -> set[str]:
    return {line.split()[1] for line in Path("/proc/sysvipc/shm").read_text().splitlines()[1:]}


def gone_after(nest: Path, seconds: float = 10) -> float:
    """How long it took from now until nothing was left of a server."""
    began = time.perf_counter()
    while time.perf_counter() < began + seconds:
        if not nest.exists():
            break
        time.sleep(0.0005)
    took = time.perf_counter() - began
    assert not nest.exists()
    deadline = time.monotonic() + seconds
    while processes_in(nest) and time.monotonic() < deadline:
        time.sleep(0.01)
    assert processes_in(nest) == []
    return took


def kill(pid: int) -> None:
    os.kill(pid, signal.SIGKILL)


@pytest.fixture(scope="session")
def cache(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a cache of the tests' own, in which initdb has run once."""
    return tmp_path_factory.mktemp("cache")


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """Return a project's folder."""
    path = tmp_path / "project"
    path.mkdir()
    return path


@pytest.fixture
def take(root: Path, cache: Path) -> Iterator[Callable[..., EmbeddedLease]]:
    """Take a lease of the project's server; what is still held at the end is released."""
    taken: list[Lease] = []

    def one(*, linger: int = 0) -> Lease:
        taken.append(lease("embedded", root=root, cache=cache, linger=linger))
        return taken[-1]

    yield one
    for held in taken:
        held.release()


@pytest.fixture
def client(root: Path, cache: Path) -> Iterator[Callable[..., Client]]:
    """Start another process that takes a lease; what still runs at the end is killed."""
    started: list[Client] = []

    def start(*mode: str) -> Client:
        started.append(Client(root, cache, *mode))
        return started[-1]

    yield start
    for one in started:
        one.bury()


@pytest.fixture(scope="module")
def shared(tmp_path_factory: pytest.TempPathFactory, cache: Path) -> Iterator[psycopg.Connection]:
    """Yield a connection of the administrator to one server for all tests of a module."""
    held = lease("embedded", root=tmp_path_factory.mktemp("shared"), cache=cache)
    with psycopg.connect(**held.admin.libpq(), autocommit=True) as connection:
        yield connection
    held.release()
