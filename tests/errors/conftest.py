"""A server of one test's own, which may be harmed."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from pytest_crucible.server import Lease, lease


@pytest.fixture
def own_root(project_server: tuple[Path, Lease], tmp_path: Path) -> Path:
    """Return a project's folder, whose server no other test uses."""
    root = tmp_path / "own"
    root.mkdir()
    for name in ("app.py", "pyproject.toml"):
        shutil.copy(project_server[0] / name, root)
    return root


@pytest.fixture
def own_project(project: Any, own_root: Path) -> Any:
    """Return the same project on a server of its own."""
    project.root = own_root
    return project


@pytest.fixture
def own_server(own_root: Path, server_cache: Path) -> Iterator[Lease]:
    """Yield a share in that server."""
    share = lease("embedded", root=own_root, cache=server_cache)
    yield share
    share.release()
