"""A thousand clients that come and go, and are killed: none fails, and nothing is left."""

import subprocess
import sys
import time
from pathlib import Path

import pytest

from pytest_crucible.server import folders
from pytest_crucible.server.embedded import binaries

CROWD = Path(__file__).parent / "crowd.py"


def crowd(root, cache, clients, at_once):
    """Run a crowd; then nothing may be left of it."""
    command = [sys.executable, str(CROWD), str(root), str(cache), str(clients), str(at_once)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    key = folders.folders(root, cache, binaries.find().identity).key
    deadline = time.monotonic() + 10
    while (left := left_over(key)) and time.monotonic() < deadline:
        time.sleep(0.01)
    assert left == []


def left_over(key):
    nests = [path for place in folders.nests() for path in Path(place).glob(f"{key}-*")]
    locks = list(folders.own(folders.short()).glob(f"{key}.*"))
    return nests + locks


@pytest.mark.slow
def test_a_crowd(root, cache):
    """Of 30 clients, a third of them killed, none that lives sees an error; then nothing is left."""
    crowd(root, cache, 30, 8)


@pytest.mark.slow
def test_a_thousand_clients(root, cache):
    """Of 1,000 clients, a third of them killed, none that lives sees an error; then nothing is left."""
    crowd(root, cache, 1000, 12)
