"""Lifespans for tests that pytest-asyncio runs; registered where that plugin is."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

import pytest
import pytest_asyncio

from ..run import Run
from . import running


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def crucible_lifespan_session(crucible_run: Run) -> AsyncIterator[Any]:
    """The running application, on the session's loop."""
    async for started in running(crucible_run):
        yield started


@pytest_asyncio.fixture(scope="package", loop_scope="package")
async def crucible_lifespan_package(crucible_run: Run) -> AsyncIterator[Any]:
    """The running application, on the package's loop."""
    async for started in running(crucible_run):
        yield started


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def crucible_lifespan_module(crucible_run: Run) -> AsyncIterator[Any]:
    """The running application, on the module's loop."""
    async for started in running(crucible_run):
        yield started


@pytest_asyncio.fixture(scope="class", loop_scope="class")
async def crucible_lifespan_class(crucible_run: Run) -> AsyncIterator[Any]:
    """The running application, on the class's loop."""
    async for started in running(crucible_run):
        yield started


@pytest_asyncio.fixture(loop_scope="function")
async def crucible_lifespan_function(crucible_run: Run) -> AsyncIterator[Any]:
    """The running application, on the test's own loop."""
    async for started in running(crucible_run):
        yield started


def name_for(item: pytest.Item) -> str | None:
    """The fixture for *item*, or None if pytest-asyncio does not run it."""
    if not pytest_asyncio.is_async_test(item):
        return None
    marker = item.get_closest_marker("asyncio")
    scope = marker.kwargs.get("loop_scope") if marker else None
    return f"crucible_lifespan_{scope or item.config.getini('asyncio_default_test_loop_scope') or 'function'}"
