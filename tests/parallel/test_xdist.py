"""pytest-xdist: each worker a database of its own, from one template on one server."""

from __future__ import annotations

import signal
import time

import psutil
import pytest

TESTS = 24
pytestmark = pytest.mark.slow


@pytest.mark.parametrize(
    ("workers", "scheduler"),
    [(3, "load"), (2, "loadscope"), (3, "loadfile"), (2, "loadgroup"), (4, "worksteal")],
)
def test_a_database_for_each_worker(project, workers, scheduler):
    """Whatever the scheduler: every worker that ran a test has one database, and the template was built once."""
    run = project.run("-n", str(workers), "--dist", scheduler)
    assert run.counts() == {"passed": TESTS}, run.text
    assert run.builds == 1
    assert len(run.databases) == len(run.workers) > 1
    assert sorted(test for _, _, test, _ in run.seen) == sorted({test for _, _, test, _ in run.seen})
    assert {name[:11] for name in project.databases()} == {"crucible_t_"}


def test_each_worker_runs_every_test(project):
    """`--dist each`: all workers run all tests, the same ones at the same time, and do not meet."""
    run = project.run("--tx", "3*popen", "--dist", "each")
    assert run.counts() == {"passed": 3 * TESTS}, run.text
    assert (len(run.workers), len(run.databases), run.builds) == (3, 3, 1)


@pytest.mark.parametrize("words", [("-p", "xdist", "-n", "0"), ("-p", "no:xdist")])
def test_without_workers(project, words):
    """With no workers, or no xdist, the one process has one database."""
    run = project.run(*words)
    assert run.counts() == {"passed": TESTS}, run.text
    assert (run.workers, len(run.databases), run.builds) == ({"main"}, 1, 1)


def test_the_controller_makes_nothing(project):
    """The process that only hands out tests builds no template and has no database."""
    project.write("conftest.py", "import models, os\n\ndef pytest_unconfigure(): models.note('pids', os.getpid())\n")
    with project.start("-n", "2") as process:
        text, _ = process.communicate(timeout=300)
    run = project.outcome(text, process.returncode)
    assert run.counts() == {"passed": TESTS}, run.text
    builders = {line.strip() for line in (project.root / "built").read_text().splitlines()}
    assert str(process.pid) not in builders
    assert len((project.root / "pids").read_text().splitlines()) == 3
    assert not [name for name in run.databases if "_main" in name]


def test_a_worker_that_crashes_is_replaced(project):
    """A killed worker's successor clones the same template; its database belongs to no process any more, and goes."""
    project.write(
        "test_a_crash.py",
        "import os, signal, models, pytest\n\n@pytest.mark.parametrize('number', range(2))\n"
        "def test_crash(number):\n    models.use(f'crash-{number}')\n    os.kill(os.getpid(), signal.SIGKILL)\n",
    )
    run = project.run("-n", "2", "--max-worker-restart", "4")
    assert run.counts() == {"passed": TESTS, "failed": 2}, run.text
    assert run.builds == 1
    # Who replaced the second may have found nothing left to do.
    assert len(run.databases) == len(run.workers) >= 3
    assert {name[:11] for name in project.databases()} == {"crucible_t_"}


@pytest.mark.parametrize("words", [("-x",), ("--maxfail", "2")])
def test_a_run_that_stops_early(project, words):
    """`-x` and `--maxfail` end the workers in good order: nothing but the template is left."""
    project.write(
        "test_fails.py",
        "import models, pytest\n\n@pytest.mark.parametrize('number', range(6))\n"
        "def test_fails(number):\n    models.use(f'fails-{number}')\n    raise SystemError\n",
    )
    run = project.run("-n", "2", *words, "test_fails.py", "test_apples.py")
    assert run.code == 2, run.text
    assert run.builds == 1
    assert {name[:11] for name in project.databases()} == {"crucible_t_"}


def test_all_workers_killed_in_the_middle(project):
    """Controller and workers killed at once: the next run starts from nothing, or from a complete template."""
    project.write(
        "test_slow.py", "import time, models\n\ndef test_slow():\n    models.use('slow')\n    time.sleep(60)\n"
    )
    with project.start("-n", "2") as process:
        deadline = time.monotonic() + 120
        while "slow" not in ((project.root / "seen").read_text() if (project.root / "seen").exists() else ""):
            assert time.monotonic() < deadline
            time.sleep(0.05)
        for victim in [*psutil.Process(process.pid).children(recursive=True), psutil.Process(process.pid)]:
            victim.send_signal(signal.SIGKILL)
    (project.root / "test_slow.py").unlink()
    run = project.run("-n", "2")
    assert run.counts() == {"passed": TESTS}, run.text
    assert {name[:11] for name in project.databases()} == {"crucible_t_"}


def test_two_runs_at_once(project):
    """Two runs of one project share server and template, and neither meets the other's databases."""
    runs = [project.start("-n", "2", "-q") for _ in range(2)]
    texts = [run.communicate(timeout=300)[0] for run in runs]
    assert [run.returncode for run in runs] == [0, 0], "\n".join(texts)
    both = project.outcome("", 0)
    assert both.builds == 1
    assert len(both.seen) == 2 * TESTS
    assert len(both.databases) == 4
