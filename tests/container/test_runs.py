"""Runs of pytest on containers: workers, crashes, commands."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
import time

import psutil
import pytest

from .conftest import containers, environment, run_pytest, seen

pytestmark = pytest.mark.container

CRUCIBLE = [sys.executable, "-c", "from pytest_crucible.cli import main; raise SystemExit(main())"]


def test_workers_share_one_container(root):
    """`-n 3`: one server, one build, a database for each worker."""
    done = run_pytest(root, "-n", "3", "--dist", "worksteal")
    assert "12 passed" in done.stdout, done.stdout
    assert (root / "built").read_text() == "x"
    assert len({started for _, _, started in seen(root)}) == 1
    assert len({database for _, database, _ in seen(root)}) == len({worker for worker, _, _ in seen(root)}) == 3


def test_a_container_for_each_worker(root):
    """`container-per-worker`: as many servers as workers, each with a template of its own; none for the controller."""
    done = run_pytest(root, "-n", "2", "--crucible-server", "container-per-worker")
    assert "12 passed" in done.stdout, done.stdout
    assert (root / "built").read_text() == "xx"
    assert len({started for _, _, started in seen(root)}) == 2


def test_two_runs_at_once_share_it(root):
    """Two runs of a project at the same time meet in one container, and in one template."""
    words = [sys.executable, "-m", "pytest", "-p", "no:cacheprovider", "-q"]
    runs = [subprocess.Popen(words, cwd=root, env=environment(root), stdout=subprocess.DEVNULL) for _ in range(2)]
    assert [run.wait(120) for run in runs] == [0, 0]
    assert (root / "built").read_text() == "x"
    assert len({database for _, database, _ in seen(root)}) == 2


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM])
def test_a_run_that_is_killed(root, number):
    """The controller and every worker killed in the middle: the container goes."""
    words = [sys.executable, "-m", "pytest", "-p", "no:cacheprovider", "-n", "2"]
    with subprocess.Popen(words, cwd=root, env=environment(root), stdout=subprocess.DEVNULL) as run:
        deadline = time.monotonic() + 120
        while not (root / "seen").exists():
            assert time.monotonic() < deadline
            time.sleep(0.05)
        assert len(containers()) == 1
        for process in [*psutil.Process(run.pid).children(recursive=True), psutil.Process(run.pid)]:
            process.send_signal(number)
    # the fixture that looks at what stays does the rest


def test_untrusted_extension(root):
    """An extension that only a superuser may create, as PostGIS is, is created for the ordinary role."""
    (root / "test_items.py").write_text(
        "from sqlalchemy import text\n"
        "def test_it(sync_session):\n"
        "    names = sync_session.execute(text('SELECT extname FROM pg_extension')).scalars().all()\n"
        "    assert {'dblink', 'citext'} <= set(names)\n"
    )
    done = run_pytest(root, "--crucible-extensions", "dblink citext")
    assert "1 passed" in done.stdout, done.stdout


def test_missing_extension_does_not_speak_of_the_embedded_server(root):
    """An extension that the image lacks is an error of its own server."""
    done = run_pytest(root, "--crucible-extensions", "postgis", "-x")
    assert "CREATE EXTENSION postgis failed" in done.stdout
    assert "embedded" not in done.stdout


def test_the_command_keeps_it_running_between_runs(root):
    """`crucible server --server container` saves each run the start and the build, and what failed can be opened."""
    words = [*CRUCIBLE, "server", "--server", "container"]
    with subprocess.Popen(words, cwd=root, env=environment(root), stdout=subprocess.PIPE, text=True) as server:
        assert server.stdout.readline().startswith("PostgreSQL in a container of postgres:16-alpine: postgresql://")
        (root / "test_fails.py").write_text(
            "import models\nfrom sqlalchemy import text\n"
            "def test_fails(sync_session):\n"
            "    sync_session.add(models.Item(name='the last one'))\n    sync_session.commit()\n    assert False\n"
        )
        done = run_pytest(root, "--crucible-keep-failed")
        run_pytest(root)
        assert (root / "built").read_text() == "x"
        [(name, how)] = re.findall(r"^crucible: kept (\w+); open it with: (.*)$", done.stdout, re.MULTILINE)
        assert how.startswith(f"crucible psql --server 'container' {name} (while its container runs")
        shown = crucible(root, "psql", "--server", "container", name, "-Atc", "SELECT name FROM items ORDER BY 1")
        assert shown.stdout.split("\n")[:2] == ["seed", "the last one"], shown.stderr
        assert "crucible_t_project_" in crucible(root, "templates", "--server", "container").stdout
        assert crucible(root, "gc", "--server", "container").stdout == f"dropped {name}\n"
        os.kill(server.pid, signal.SIGINT)
        assert server.wait(30) == 0


def crucible(root, *words):
    return subprocess.run(
        [*CRUCIBLE, *words], check=False, capture_output=True, text=True, cwd=root, env=environment(root)
    )


def test_engine_that_does_not_answer_ends_a_run_with_one_error(root, monkeypatch):
    """Each test says that no engine answers, and that the embedded server needs none."""
    monkeypatch.setenv("DOCKER_HOST", "unix:///nowhere/docker.sock")
    done = run_pytest(root, "-x")
    assert "No container engine answers" in done.stdout
    assert 'crucible_server = "embedded", the default' in done.stdout
