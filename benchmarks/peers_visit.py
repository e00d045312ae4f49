"""A cold and then a warm run of a side, measured: a process of its own, below which everything of the runs lives.

``python benchmarks/peers_visit.py JSON`` prints the figures of the runs as JSON. The argument holds the names of the
runs, the command, its folder and environment, and whether a server is given. *Cold* means that no server runs and no
cache exists: where a server is given, the time from nothing to its start counts. *Warm* is the run after that: a given
server runs already.
"""

from __future__ import annotations

import json
import os
import signal
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import processor

from pytest_crucible.server import Lease, lease

SAMPLE_SECONDS = 0.25
END_SECONDS = 20
RUN_SECONDS = 240


class Peak(threading.Thread):
    """The peak of memory of all processes below this one, looked at some times a second."""

    def __init__(self) -> None:
        super().__init__(daemon=True)
        self.ended = threading.Event()
        self.bytes = 0

    def run(self) -> None:
        """Look until the end."""
        while not self.ended.wait(SAMPLE_SECONDS):
            self.bytes = max(self.bytes, processor.memory_of_descendants())


@contextmanager
def peak() -> Iterator[Peak]:
    """Watch the memory of the processes below this one."""
    watch = Peak()
    watch.start()
    yield watch
    watch.ended.set()
    watch.join()


class Visit:
    """The runs of a side.

    Args:
        words: The argument of the script.
        folder: A folder for this visit.
    """

    def __init__(self, words: dict[str, Any], folder: Path) -> None:
        self.words = words
        self.folder = folder
        self.lease: Lease | None = None

    def run(self, name: str) -> dict[str, Any]:
        """Run the suite once; return the figures."""
        notes = self.folder / name
        notes.mkdir()
        used, began = processor.of_descendants(), time.perf_counter()
        with peak() as watch:
            if self.words["server"] and not self.lease:
                self.lease = lease("embedded", root=self.folder, cache=self.folder / "server")
            started = time.perf_counter()
            code, output = pytest(self.words["command"], self.words["folder"], self.environment(notes))
            ended = time.perf_counter()
            self.settle()
        figures = {"wall": ended - began, "server": started - began, "memory": watch.bytes / 2**20}
        figures["processor"] = processor.of_descendants() - used
        return with_notes(figures, notes, code, output)

    def environment(self, notes: Path) -> dict[str, str]:
        """Return the environment of a run."""
        given = {"PEERS_NOTES": str(notes), "CRUCIBLE_CACHE": str(self.folder / "crucible")}
        if self.lease:
            admin = self.lease.admin
            words = admin.libpq()
            given |= {"PGHOST": words["host"], "PGPORT": words["port"], "PGUSER": words["user"]}
            given |= {
                "DATABASE_URL": admin.url("postgresql+asyncpg"),
                "PYTEST_SQLA_URL": admin.url("postgresql+asyncpg"),
            }
        return os.environ | self.words["environment"] | given

    def settle(self) -> None:
        """Wait until all processes of a run have ended, but those of the given server."""
        end = time.monotonic() + END_SECONDS
        while not self.lease and processor.descendants(os.getpid()) and time.monotonic() < end:
            reap()
            time.sleep(0.01)

    def close(self) -> None:
        """End the given server."""
        if self.lease:
            self.lease.release()
            self.lease = None
        self.settle()


def pytest(command: list[str], folder: str, variables: dict[str, str]) -> tuple[int, str]:
    """Run pytest, and end it if it does not end; return its exit code and its output."""
    with tempfile.TemporaryFile("w+") as file:
        process = subprocess.Popen(command, cwd=folder, env=variables, stdout=file, stderr=subprocess.STDOUT)
        try:
            code, reason = process.wait(RUN_SECONDS), ""
        except subprocess.TimeoutExpired:
            for pid in [process.pid, *processor.descendants(process.pid)]:
                os.kill(pid, signal.SIGKILL)
            code, reason = process.wait(), f"did not end within {RUN_SECONDS} seconds"
        file.seek(0)
        return code, file.read() + reason


def reap() -> None:
    """Wait for the adopted processes that have ended."""
    try:
        while os.waitpid(-1, os.WNOHANG)[0]:
            pass
    except ChildProcessError:
        pass


def with_notes(figures: dict[str, Any], notes: Path, code: int, output: str) -> dict[str, Any]:
    """Return the figures with what the processes of the run noted: the time of each test, and a container's part."""
    workers = [json.loads(path.read_text()) for path in sorted(notes.glob("tests-*"))]
    for path in notes.glob("container-*"):
        used = json.loads(path.read_text())
        figures["processor"] += used["processor"]
        figures["memory"] += used["memory"] / 2**20
    seconds = [each for notes in workers for each in notes["seconds"]]
    figures |= {name: sorted({test for notes in workers for test in notes[name]}) for name in ("tests", "failed")}
    if code or not seconds:
        return figures | {"output": output[-6000:]}
    cuts = statistics.quantiles(seconds, n=100, method="inclusive")
    return figures | {"median": cuts[49] * 1000, "p95": cuts[94] * 1000, "p99": cuts[98] * 1000}


def main(words: dict[str, Any]) -> None:
    """Print the figures of the runs."""
    processor.adopt()
    with tempfile.TemporaryDirectory(prefix="crucible-peers-", ignore_cleanup_errors=True) as folder:
        visit = Visit(words, Path(folder))
        try:
            print(json.dumps({name: visit.run(name) for name in words["runs"]}))
        finally:
            visit.close()


if __name__ == "__main__":
    main(json.loads(sys.argv[1]))
