"""The application under test: found, and asked over ASGI."""

from __future__ import annotations

import inspect
from collections.abc import Mapping
from importlib import import_module
from typing import Any

from ..errors import UsageError
from ..settings import Settings
from ..settings.lookup import lookup

BASE_URL = "http://test"


def application(settings: Settings) -> Any:
    """Return the ASGI application that ``crucible_app`` names; call it if it is a factory.

    Raises:
        UsageError: If the option is not set, or names something else.
    """
    if settings.app is None:
        raise UsageError(
            "async_client needs the application, and crucible_app is not set.",
            do='Write crucible_app = "app.main:app" beside crucible_metadata.',
        )
    named = lookup(settings.app, option="crucible_app", root=settings.root)
    if not callable(named):
        raise UsageError(
            f"crucible_app: {settings.app} is {type(named).__name__}, not an ASGI application.",
            do="Name the application object, or a function without arguments that returns it.",
        )
    return named() if _is_factory(named) else named


def _is_factory(named: Any) -> bool:
    """Return whether *named* takes no arguments; an ASGI application takes scope, receive and send."""
    try:
        inspect.signature(named).bind()
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
    """Return an ``httpx.AsyncClient`` that calls *app* without a network.

    Args:
        app: An ASGI application.
        headers: Headers of each request, for example an ``Authorization``.
        cookies: The first cookies of the client's jar.
        raise_app_exceptions: Whether an exception that the application does not handle reaches the caller, or is
            answered with 500 as in production.
        options: ``root_path``, ``client`` and ``patience``, of the transport; ``client_class``, such as
            ``httpx2.AsyncClient``; and arguments of that class: ``base_url``, ``follow_redirects``, ``timeout``.
    """
    from .transport import AsgiTransport

    client_class = options.pop("client_class", None) or import_module("httpx").AsyncClient
    of_transport = {name: options.pop(name) for name in ("root_path", "client", "patience") if name in options}
    transport = AsgiTransport(app, raise_app_exceptions, **of_transport)
    # No time-out: there is no network that could hang, and a test may stop in a debugger.
    kwargs = {"base_url": BASE_URL, "timeout": None, **options}
    return client_class(transport=transport, headers=headers, cookies=cookies, **kwargs)
