"""Lifespans for tests that anyio's own plugin runs; registered where that plugin is."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

import pytest

from ..run import Run
from . import running


@pytest.fixture(scope="module")
async def crucible_anyio_lifespan(anyio_backend: object, crucible_run: Run) -> AsyncIterator[Any]:
    """The running application. ``anyio_backend`` is module-scoped, and so is the loop unless the project widens it."""
    async for started in running(crucible_run):
        yield started


def name_for(item: pytest.Item) -> str | None:
    """The fixture for *item*, or None if anyio does not run it."""
    return "crucible_anyio_lifespan" if "anyio_backend" in getattr(item, "fixturenames", ()) else None
