"""The application under test: found, and asked over ASGI."""

from __future__ import annotations

import inspect
from typing import Any

from .errors import UsageError
from .lookup import lookup
from .settings import Settings

BASE_URL = "http://test"


def application(settings: Settings) -> Any:
    """The ASGI application that ``crucible_app`` names; a factory is called.

    Raises:
        UsageError: If the option is not set, or names something else.
    """
    if settings.app is None:
        raise UsageError(
            "async_client needs the application, and crucible_app is not set.",
            do='Write crucible_app = "app.main:app" beside crucible_metadata.',
        )
    found = lookup(settings.app, option="crucible_app", root=settings.root)
    if not callable(found):
        raise UsageError(
            f"crucible_app: {settings.app} is {type(found).__name__}, not an ASGI application.",
            do="Name the application object, or a function without arguments that returns it.",
        )
    return found() if _is_factory(found) else found


def _is_factory(found: Any) -> bool:
    """An ASGI application takes scope, receive and send; a factory takes nothing."""
    try:
        inspect.signature(found).bind()
    except (TypeError, ValueError):
        return False
    return True


def client(app: Any) -> Any:
    """An ``httpx.AsyncClient`` that asks *app* without a network."""
    from httpx import ASGITransport, AsyncClient

    return AsyncClient(transport=ASGITransport(app=app), base_url=BASE_URL)
