"""Successors of worker databases in many processes: each takes its place, and none is left."""

from __future__ import annotations

import signal
import time
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest

from pytest_crucible.server import lease

TESTS = 24
CLONES = "--crucible-isolation=clone"
pytestmark = pytest.mark.slow


@pytest.mark.parametrize("workers", [0, 2, 4])
def test_clones_under_one_name(project, workers):
    """Each test finds the state of the template, in a database that has the name of the one before."""
    run = project.run("-n", str(workers), CLONES)
    assert run.counts() == {"passed": TESTS}, run.text
    assert len(run.databases) == len(run.workers)
    assert {name[:11] for name in project.databases()} == {"crucible_t_"}


def test_two_runs_at_once(project):
    """Two runs of one project clone one template at the same time."""
    runs = [project.start("-n", "2", "-q", CLONES) for _ in range(2)]
    texts = [run.communicate(timeout=300)[0] for run in runs]
    assert [run.returncode for run in runs] == [0, 0], "\n".join(texts)
    both = project.outcome("", 0)
    assert len(both.seen) == 2 * TESTS
    assert {name[:11] for name in project.databases()} == {"crucible_t_"}


@pytest.fixture
def running(project) -> Iterator[None]:
    """Keep the server running between runs."""
    share = lease("embedded", root=project.root, cache=Path(project.environment["CRUCIBLE_CACHE"]))
    yield
    share.release()


@pytest.mark.usefixtures("running")
@pytest.mark.parametrize("tests", [1, 2, 3, 5, 8, 13])
def test_killed_in_the_middle(project, tests):
    """Whatever is under way when all processes are killed after so many tests: the next run drops it."""
    with project.start("-n", "2", CLONES) as process:
        deadline = time.monotonic() + 120
        seen = project.root / "seen"
        while not seen.exists() or len(seen.read_text().splitlines()) < tests:
            assert time.monotonic() < deadline
            time.sleep(0.001)
        time.sleep(tests / 200)
        for victim in [*psutil.Process(process.pid).children(recursive=True), psutil.Process(process.pid)]:
            victim.send_signal(signal.SIGKILL)
    assert process.returncode == -signal.SIGKILL and len(seen.read_text().splitlines()) < TESTS
    left = [name for name in project.databases() if name.startswith("crucible_w_")]
    # The first clone of a run has no successor yet: the old database is dropped before it is made.
    assert left or tests < 5
    run = project.run("-n", "2", CLONES)
    assert run.counts() == {"passed": TESTS}, run.text
    assert {name[:11] for name in project.databases()} == {"crucible_t_"}
