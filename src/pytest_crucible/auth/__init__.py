"""Authentication in tests: tokens, clients of users, and the matrix of routes that must refuse bad credentials.

::

    from pytest_crucible.auth import route_matrix

    test_routes_refuse_bad_credentials = route_matrix(public=["POST /token"])

asks every route that declares security, and every websocket, with credentials that it must refuse.
"""

from __future__ import annotations

from collections.abc import Callable
from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from .clients import Clients
    from .matrix.checks import check_routes
    from .matrix.matrix import route_matrix
    from .matrix.probe import RouteFinding
    from .routes import Route, routes_of
    from .tokens.bad import bad_tokens

    test_routes_refuse_bad_credentials: Callable[..., Any]

__all__ = [
    "Clients",
    "Route",
    "RouteFinding",
    "bad_tokens",
    "check_routes",
    "route_matrix",
    "routes_of",
    "test_routes_refuse_bad_credentials",
]
# Imported on first use: most runs ask for no route and no token.
MODULES = {
    "Clients": "clients",
    "Route": "routes",
    "RouteFinding": "matrix.probe",
    "bad_tokens": "tokens.bad",
    "check_routes": "matrix.checks",
    "route_matrix": "matrix.matrix",
    "routes_of": "routes",
}


def __getattr__(name: str) -> object:
    if name in MODULES:
        return getattr(import_module(f".{MODULES[name]}", __name__), name)
    if name == "test_routes_refuse_bad_credentials":
        # A new function for each importing module: pytest puts marks on the function itself.
        return import_module(".matrix.matrix", __name__).route_matrix()
    msg = f"module {__name__!r} has no attribute {name!r}"
    raise AttributeError(msg)
