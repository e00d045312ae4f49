"""The application under test: found, and asked over ASGI."""

from __future__ import annotations

import inspect
from collections.abc import Mapping
from typing import Any

from ..errors import UsageError
from ..settings import Settings
from ..settings.lookup import lookup

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


def client(
    app: Any,
    *,
    headers: Mapping[str, str] | None = None,
    cookies: dict[str, str] | None = None,
    raise_app_exceptions: bool = True,
    **options: Any,
) -> Any:
    """An ``httpx.AsyncClient`` that asks *app* without a network.

    Args:
        app: An ASGI application.
        headers: Sent with each request, for example an ``Authorization``.
        cookies: What the client's cookie jar begins with.
        raise_app_exceptions: Whether an exception that the application does not handle reaches the caller, or is
            answered with 500 as in production.
        options: ``root_path``, ``client`` and ``patience``, of the transport; ``client_class``, such as
            ``httpx2.AsyncClient``; and whatever that takes: ``base_url``, ``follow_redirects``, ``timeout``.
    """
    from .transport import AsgiTransport

    client_class = options.pop("client_class", None) or _client_class()
    ours = {name: options.pop(name) for name in ("root_path", "client", "patience") if name in options}
    transport = AsgiTransport(app, raise_app_exceptions, **ours)
    # There is no network that could hang, and a test that stands in a debugger takes its time.
    words = {"base_url": BASE_URL, "timeout": None, **options}
    return client_class(transport=transport, headers=headers, cookies=cookies, **words)


def _client_class() -> Any:
    from httpx import AsyncClient

    return AsyncClient
