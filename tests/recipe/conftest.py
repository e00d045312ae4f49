"""The well-known recipe's project, and a PostgreSQL that takes the place of its container."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest

sys.path.insert(0, str(Path(__file__).parent))

from repairs import Recipe

from pytest_crucible.server import lease


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """Yield the URL of an empty database on a server that knows nothing of Crucible, as testcontainers writes it."""
    root = tmp_path_factory.mktemp("server")
    share = lease("embedded", root=root, cache=root / "cache")
    with psycopg.connect(share.admin.url(), autocommit=True) as connection:
        connection.execute("CREATE DATABASE blog")
    yield share.admin.to("blog").url("postgresql+psycopg2")
    share.release()


@pytest.fixture
def recipe(tmp_path: Path, server: str) -> Recipe:
    """Return a copy of the project, repaired as little as possible."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("CRUCIBLE_", "PYTEST_"))}
    for name in ("CI", "PYTHONDONTWRITEBYTECODE"):
        kept.pop(name, None)
    return Recipe(tmp_path, kept | {"BLOG_SERVER": server, "CRUCIBLE_CACHE": str(tmp_path / "cache")})
