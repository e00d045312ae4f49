"""Several machines at once against one external server: no collision, one template, nothing left but that."""

from __future__ import annotations

import re
import shutil
import signal
import subprocess
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest

from .conftest import PROJECT, clean_environment
from .machines import BINARIES, Machine, Network, Server

pytestmark = [pytest.mark.slow, pytest.mark.skipif(not BINARIES, reason="no PostgreSQL is installed on this machine")]

SHARDS = 3
TESTS = 24
# As different as checkouts of one project are on different runners.
CHECKOUTS = ("work/shop/shop", "builds/0/team/shop@2", "src")


@pytest.fixture(scope="module")
def network() -> Iterator[Network]:
    made = Network(SHARDS)
    yield made
    made.remove()


@pytest.fixture
def server(network: Network) -> Iterator[Server]:
    folder = Path(tempfile.mkdtemp(prefix="crucible-machines-", dir="/tmp"))
    made = Server(network, folder)
    yield made
    made.stop()
    shutil.rmtree(folder)


@pytest.fixture
def seen(tmp_path: Path) -> Path:
    """Where all machines note what they saw."""
    path = tmp_path / "seen"
    path.mkdir()
    return path


@pytest.fixture
def machines(network: Network, server: Server, tmp_path: Path, seen: Path) -> list[Machine]:
    made = []
    for number, folder in enumerate(CHECKOUTS, 1):
        home = tmp_path / f"home{number}"
        checkout = home / folder
        checkout.mkdir(parents=True)
        for name, text in PROJECT.items():
            (checkout / name).write_text(text, "utf-8")
        environment = clean_environment() | {"SEEN": str(seen), "CRUCIBLE_SERVER": server.url}
        made.append(Machine(network, number, home, checkout, environment))
    return made


def workflow() -> list[list[str]]:
    """Return what the workflow in docs/parallel.md runs in each job of its matrix, with two workers."""
    page = (Path(__file__).parents[2] / "docs" / "parallel.md").read_text("utf-8")
    [groups] = re.findall(r"^ +group: \[([\d, ]+)\]$", page, re.MULTILINE)
    [command] = re.findall(r"^ +- run: pytest (.*)$", page, re.MULTILINE)
    command = command.replace("-n auto", "-n 2")
    return [command.replace("${{ matrix.group }}", group).split() for group in groups.split(", ")]


def lines(path: Path) -> list[list[str]]:
    return [line.split("\t") for line in path.read_text().splitlines()]


def created(server: Server, kind: str) -> list[str]:
    """Return the databases of one *kind* that were created, in order, each as often as it was."""
    return re.findall(rf'statement: CREATE DATABASE "?(crucible_{kind}_\w+)', server.log())


def finished(runs: list[subprocess.Popen[str]]) -> list[str]:
    return [run.communicate(timeout=300)[0] for run in runs]


def test_three_shards_at_once(machines, server, network, seen):
    """Three machines, as the documented workflow runs them, all under one run name: six databases, one template."""
    jobs = zip(machines, workflow(), strict=True)
    runs = [machine.start(*words, "--testrunuid", "pipeline-4711") for machine, words in jobs]
    texts = finished(runs)
    assert [run.returncode for run in runs] == [0] * SHARDS, "\n".join(texts)
    tests = [test for _, _, test, _ in lines(seen / "seen")]
    assert sorted(tests) == sorted(set(tests))
    assert len(tests) == TESTS
    assert len(lines(seen / "built")) == len(created(server, "t")) == 1
    workers = created(server, "w")
    assert len(workers) == len(set(workers)) == 2 * SHARDS
    assert "already exists" not in server.log()
    assert server.databases() == set(created(server, "t"))
    if network.real:
        assert {address for *_, address in lines(seen / "seen")} == {f"10.213.0.{number}" for number in (2, 3, 4)}


def test_a_second_pipeline_builds_nothing(machines, server, seen):
    """What one machine built, every other clones, also in a later run and in a folder of another name."""
    for machine in machines:
        with machine.start("test_pears.py") as run:
            assert "8 passed" in run.communicate(timeout=300)[0]
    assert len(lines(seen / "built")) == 1
    assert len(server.databases()) == 1


def test_a_machine_that_dies(machines, server, seen):
    """What a machine left that was killed in the middle is dropped by the others, while the pipeline goes on."""
    slow = "import time, models\n\ndef test_slow():\n    models.use('slow')\n    time.sleep(120)\n"
    (machines[0].checkout / "test_slow.py").write_text(slow)
    with machines[0].start("-n", "2", "--testrunuid", "pipeline-4711", "test_slow.py", "test_pears.py") as doomed:
        deadline = time.monotonic() + 120
        while not (seen / "seen").exists() or "slow" not in (seen / "seen").read_text():
            assert time.monotonic() < deadline
            time.sleep(0.05)
        assert {name[:11] for name in server.databases()} == {"crucible_t_", "crucible_w_"}
        for process in [*psutil.Process(doomed.pid).children(recursive=True), psutil.Process(doomed.pid)]:
            process.send_signal(signal.SIGKILL)
    with machines[1].start("-n", "2", "--testrunuid", "pipeline-4711", "test_pears.py") as run:
        assert "8 passed" in run.communicate(timeout=300)[0]
    assert {name[:11] for name in server.databases()} == {"crucible_t_"}


def test_workers_of_xdist_elsewhere(machines, server, seen, tmp_path):
    """xdist's own remote workers (`--tx`), each in a copy of the project: on one server, from one template."""
    places = [tmp_path / name for name in ("there", "beyond")]
    words = [word for place in places for word in ("--tx", f"popen//chdir={place}")]
    for place in places:
        place.mkdir()
    checkout = machines[0].checkout
    with machines[0].start(*words, "--dist", "load", "--rsyncdir", str(checkout), str(checkout)) as run:
        text, _ = run.communicate(timeout=300)
    assert f"{TESTS} passed" in text, text
    assert len(lines(seen / "built")) == 1
    assert {worker for worker, *_ in lines(seen / "seen")} == {"gw0", "gw1"}
    assert len(created(server, "w")) == 2
    assert {name[:11] for name in server.databases()} == {"crucible_t_"}
