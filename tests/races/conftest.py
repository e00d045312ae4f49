"""The projects of races, whose runs are processes of their own."""

from __future__ import annotations

import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path

import inner_project
import pytest

from pytest_crucible.server import Lease, lease

PROJECTS = Path(__file__).parent / "projects"


@pytest.fixture(scope="session")
def run_project(tmp_path_factory: pytest.TempPathFactory, server_cache: Path) -> Iterator[Callable[..., str]]:
    """Yield a function that runs pytest on a project and returns what it prints; servers are kept meanwhile."""
    root = tmp_path_factory.mktemp("races") / "projects"
    shutil.copytree(PROJECTS, root)
    environment = inner_project.user_environment() | {"CRUCIBLE_CACHE": str(server_cache)}
    shares: dict[str, Lease] = {}

    def run(name: str, *arguments: str, code: int = 0, **variables: str) -> str:
        if name not in shares:
            shares[name] = lease("embedded", root=root / name, cache=server_cache)
        done = subprocess.run(
            [sys.executable, "-m", "pytest", "-p", "no:cacheprovider", *arguments],
            check=False,
            capture_output=True,
            text=True,
            cwd=root / name,
            env=environment | variables,
            timeout=600,
        )
        assert done.returncode == code, done.stdout + done.stderr
        return done.stdout

    yield run
    for share in shares.values():
        share.release()


@pytest.fixture
def run_shop(run_project: Callable[..., str]) -> Callable[..., str]:
    """Return the function for the project `shop`."""
    return partial(run_project, "shop")
