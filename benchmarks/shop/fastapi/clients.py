"""An httpx client, as suites write it that have no plugin for one."""

from __future__ import annotations

from contextlib import asynccontextmanager

import httpx
from app.main import app, get_db


@asynccontextmanager
async def client(override=None):
    """Yield a client of the application, whose sessions come from *override* if there is one."""
    if override is not None:
        app.dependency_overrides[get_db] = override
    async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://test") as found:
        yield found
    app.dependency_overrides.clear()
