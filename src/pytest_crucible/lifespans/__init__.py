"""The application's lifespan as an asynchronous fixture, one for each scope that an event loop can have.

pytest-asyncio and anyio each run asynchronous fixtures in their own way; which of them runs a test, and on a loop
of which scope, is known from what the test and the configuration say publicly.
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

from .. import app
from ..run import LIFESPAN, Run


async def running(crucible_run: Run) -> AsyncIterator[Any]:
    """The application with its lifespan running."""
    with crucible_run.worker.redirect.owned_by(LIFESPAN):
        async with app.lifespan(app.application(crucible_run.settings)) as started:
            yield started
