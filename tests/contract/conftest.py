"""The project `shop` in a folder of its own, whose runs are processes of their own."""

from __future__ import annotations

import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import inner_project
import pytest

from pytest_crucible.server import lease

SEED = "--hypothesis-seed=1"  # fifty requests do not meet each fault each time
SHOP = Path(__file__).parent / "projects" / "shop"


@pytest.fixture(scope="session")
def shop(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return the folder of the project; the test is skipped where Schemathesis is not installed."""
    pytest.importorskip("schemathesis", reason="make contract runs this test, where Schemathesis is installed")
    root = tmp_path_factory.mktemp("contract") / "projects" / "shop"
    shutil.copytree(SHOP, root)
    return root


@pytest.fixture(scope="session")
def run_shop(shop: Path, server_cache: Path) -> Iterator[Callable[..., str]]:
    """Yield a function that runs pytest on the project and returns what it prints; its server is kept meanwhile."""
    environment = inner_project.user_environment() | {"CRUCIBLE_CACHE": str(server_cache)}
    share = lease("embedded", root=shop, cache=server_cache)

    def run(*arguments: str, code: int = 0, **variables: str) -> str:
        done = subprocess.run(
            [sys.executable, "-m", "pytest", "-p", "no:cacheprovider", "-p", "no:schemathesis", SEED, *arguments],
            check=False,
            capture_output=True,
            text=True,
            cwd=shop,
            env=environment | {"COLUMNS": "200"} | variables,
            timeout=600,
        )
        assert done.returncode == code, done.stdout + done.stderr
        return done.stdout

    yield run
    share.release()
