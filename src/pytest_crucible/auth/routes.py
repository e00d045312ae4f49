"""The routes of an application and the security that each declares: all that is read from FastAPI and Starlette.

FastAPI 0.115 to 0.165: routers may be included lazily since 0.16x, so that the routes of an application are no longer
a flat list; ``fastapi.routing.iter_route_contexts`` gives what applies to each, prefixes and dependencies of its
routers included. Older versions copy routes into the application when a router is included.
"""

from __future__ import annotations

import inspect
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field, replace
from functools import partial
from typing import Any

from .schemes import Scheme, scheme_of

WEBSOCKET = "WS"
VERBS = ("GET", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "HEAD")


@dataclass(frozen=True)
class Route:
    """One method of one route.

    Attributes:
        method: ``GET`` and so on; ``WS`` for a websocket.
        path: The path, with the prefixes of its routers and of the applications that it is mounted in.
        host: The host, where the application selects routes by it.
        schemes: The places where it takes credentials.
        guard: The callables through which its security is reached: equal for routes that one function guards.
        source: FastAPI's or Starlette's own object, whose parameters a request must fill in.
    """

    method: str
    path: str
    host: str = ""
    schemes: tuple[Scheme, ...] = ()
    guard: tuple[Any, ...] = ()
    source: Any = field(default=None, compare=False, repr=False)

    @property
    def secured(self) -> bool:
        """True if the route declares a security dependency."""
        return bool(self.guard)

    def __str__(self) -> str:
        return f"{self.method} {self.host}{self.path}"


@dataclass(frozen=True)
class MountPoint:
    """A position in the tree of mounted applications."""

    prefix: str = ""
    host: str = ""
    guards: tuple[Any, ...] = ()
    around: tuple[Any, ...] = ()


def routes_of(application: Any, guards: Iterable[Any] = ()) -> list[Route]:
    """Return every route of *application*, and of what is mounted in it, in their order.

    Args:
        application: FastAPI, Starlette, or middleware around one of them.
        guards: Further dependencies that refuse requests, beside those of ``fastapi.security``.
    """
    seen: dict[tuple[str, str], Route] = {}
    for route in _walk(application, MountPoint(guards=tuple(guards))):
        # If a path is registered twice, the first route answers.
        seen.setdefault((route.method, str(route)), route)
    return list(seen.values())


def dependant_of(source: Any) -> Any:
    """Return FastAPI's tree of dependencies, or None for a route of Starlette's."""
    return getattr(source, "dependant", None)


def subtree(dependant: Any) -> Iterator[Any]:
    """Yield *dependant* and all that it depends on."""
    yield dependant
    for dependency in dependant.dependencies:
        yield from subtree(dependency)


def schemes_of(application: Any) -> list[Scheme]:
    """Return all the schemes that routes of *application* declare."""
    return list(dict.fromkeys(scheme for route in routes_of(application) for scheme in route.schemes))


def _walk(application: Any, mount: MountPoint) -> Iterator[Route]:
    if application is None or any(application is outer for outer in mount.around):
        return
    inside = replace(mount, around=(*mount.around, application))
    routes = getattr(application, "routes", None)
    if routes is None:  # middleware: the application is inside
        inner = getattr(application, "app", None)
        if not inspect.isroutine(inner):
            yield from _walk(inner, inside)
        return
    for source in _flat(routes):
        yield from _of(source, inside)


def _flat(routes: Iterable[Any]) -> Iterable[Any]:
    try:
        from fastapi.routing import iter_route_contexts
    except ImportError:  # no FastAPI, or one that includes routers at once
        return routes
    return iter_route_contexts(list(routes))


def _of(source: Any, mount: MountPoint) -> Iterator[Route]:
    path = mount.prefix + (getattr(source, "path", None) or "")
    if getattr(source, "endpoint", None) is None:  # mounted, or chosen by host
        mounted = getattr(source, "app", None)
        if mounted is not None:
            host = getattr(source, "host", mount.host)
            inside = list(_walk(mounted, replace(mount, prefix=path, host=host)))
            # Static files, and applications of another framework, do not declare their routes.
            yield from inside or [Route("*", f"{path}/…", host)]
        return
    schemes, guard = _security(dependant_of(source), mount.guards)
    methods = getattr(source, "methods", None)
    for method in _asked(methods, source) if methods or _is_http(source) else [WEBSOCKET]:
        yield Route(method, path, mount.host, schemes, guard, source)


def _is_http(source: Any) -> bool:
    from starlette.routing import WebSocketRoute

    return not isinstance(getattr(source, "original_route", source), WebSocketRoute)


def _asked(methods: Iterable[str] | None, source: Any) -> list[str]:
    """Return the methods of a route.

    Starlette answers HEAD wherever it answers GET; an endpoint that is a class accepts what it has methods for.
    """
    accepted = set(methods or [verb for verb in VERBS if hasattr(source.endpoint, verb.lower())] or ["GET"])
    return sorted(accepted - {"HEAD"} if "GET" in accepted else accepted)


def _security(dependant: Any, guards: tuple[Any, ...]) -> tuple[tuple[Scheme, ...], tuple[Any, ...]]:
    if dependant is None:
        return (), ()
    schemes: dict[Scheme, None] = {}
    guard: dict[Any, None] = {}
    for dependency in dependant.dependencies:
        for way in _ways(dependency, guards):
            guard |= dict.fromkeys(map(id, way))
            if _is_security(way[-1]):
                schemes[scheme_of(_unwrapped(way[-1]))] = None
    return tuple(schemes), tuple(guard)


def _ways(dependant: Any, guards: tuple[Any, ...]) -> Iterator[tuple[Any, ...]]:
    """Yield every path down to a security dependency, as the callables on it."""
    if _is_security(dependant.call) or dependant.call in guards:
        yield (dependant.call,)
    for dependency in dependant.dependencies:
        for way in _ways(dependency, guards):
            yield (dependant.call, *way)


def _is_security(call: Any) -> bool:
    from fastapi.security.base import SecurityBase

    return isinstance(_unwrapped(call), SecurityBase)


def _unwrapped(call: Any) -> Any:
    while isinstance(call, partial):
        call = call.func
    return inspect.unwrap(call) if callable(call) else call
