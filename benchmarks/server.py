"""The time to start, join and lose the embedded server.

Run ``python benchmarks/server.py``; figures are milliseconds, medians and minima.
"""

from __future__ import annotations

import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import psycopg

from pytest_crucible.server import Lease, folders, lease
from pytest_crucible.server.embedded import binaries

ROUNDS = 15
CLIENT = Path(__file__).parent.parent / "tests" / "server" / "client.py"


class Project:
    """A project with an embedded server, and the measurements on it."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.cache = folder / "cache"

    def take(self) -> Lease:
        """Take a lease."""
        return lease("embedded", root=self.folder, cache=self.cache)

    def first(self, *, query: bool = True) -> float:
        """Return the time from nothing to a lease, and to an answer if *query*."""
        took = self.join(query=query)
        self.wait_for_the_end()
        return took

    def join(self, *, query: bool = True) -> float:
        """Return the time for a lease, and for an answer if *query*."""
        began = time.perf_counter()
        held = self.take()
        if query:
            with psycopg.connect(**held.admin.libpq()) as connection:
                connection.execute("SELECT 1")
        took = time.perf_counter() - began
        held.release()
        return took

    def last(self, *, keep: bool = False) -> float:
        """Return the time from the last release until nothing is left, and the image is saved if *keep*."""
        held = self.take()
        if keep:
            held.keep_image()
        held.release()
        return self.wait_for_the_end()

    def killed(self) -> float:
        """Return the time from the death of six clients until nothing is left."""
        command = [sys.executable, str(CLIENT), str(self.folder), str(self.cache)]
        clients = [subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) for _ in range(6)]
        for client in clients:
            if client.stdout:
                client.stdout.readline()
        for client in clients:
            client.kill()
        took = self.wait_for_the_end()
        for client in clients:
            client.communicate()
        return took

    def wait_for_the_end(self) -> float:
        """Return the time from now until no nest of the project is left."""
        began = time.perf_counter()
        key = folders.folders(self.folder, self.cache, binaries.find().identity).key
        while any(path for parent in folders.nests() for path in Path(parent).glob(f"{key}-*")):
            time.sleep(0.0005)
        return time.perf_counter() - began


def measure(what: str, act: Callable[[], float], rounds: int = ROUNDS) -> None:
    """Print the median and the minimum of some rounds."""
    figures = [act() * 1000 for _ in range(rounds)]
    print(f"{what:52} {statistics.median(figures):7.1f} {min(figures):7.1f}")


def main(folder: Path) -> None:
    """Measure everything."""
    project = Project(folder)
    print(f"{'milliseconds':52} {'median':>7} {'min':>7}")
    measure("nothing cached: initdb, start", lambda: project.first(query=False), 1)
    measure("start from the cached cluster", lambda: project.first(query=False))
    measure("start from the cached cluster, and SELECT 1", project.first)
    holder = project.take()
    measure("join a running server", lambda: project.join(query=False))
    measure("join a running server, and SELECT 1", project.join)
    holder.release()
    project.wait_for_the_end()
    measure("the last one leaves: until nothing is left", project.last)
    measure("six killed at once: until nothing is left", project.killed, 5)
    measure("the last one leaves: until the image is saved", lambda: project.last(keep=True))
    measure("start from the image, and SELECT 1", project.first)


if __name__ == "__main__":
    with tempfile.TemporaryDirectory() as temporary:
        main(Path(temporary))
