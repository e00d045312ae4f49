"""The route matrix carried out: one of its tests, or all of them as a plain function."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from contextlib import AbstractContextManager, nullcontext
from typing import Any

from ..changes import Watch
from .asking import Finding, ask, places, status_of
from .declared import WEBSOCKET, Route, schemes_of
from .matrix import MISSING, PUBLIC, VALID, Matrix, Probe, matrix_of, route_matrix
from .requests import request_for
from .schemes import Scheme, carry, read_scheme
from .websockets import shake_hands

Watching = Callable[[], AbstractContextManager["Watch | None"]]


async def check_routes(
    application: Any,
    tokens: Mapping[str, str],
    *,
    scheme: str | None = None,
    watching: Watching = nullcontext,
    **says: Any,
) -> list[Finding]:
    """Ask every route with every credential that it must refuse: the matrix as a plain function.

    Args:
        application: A FastAPI or Starlette application whose lifespan runs.
        tokens: By the names of the credentials, as `bad_tokens` makes them; ``valid`` may be among them.
        scheme: Where the application takes credentials, if its routes do not say: ``cookie:access_token``.
        watching: Watches the database for changes, if there is one.
        says: ``public``, ``may_write``, ``secured`` and so on: as for `route_matrix`.

    Returns:
        What is wrong, nothing if all is well. A credential that *tokens* lacks is not asked with.
    """
    matrix = matrix_of(route_matrix(**says)) or Matrix()
    extra = [read_scheme(scheme, schemes_of(application))] if scheme else []
    listing = matrix.listing(application)
    found = [
        await check_probe(application, matrix, probe, tokens, extra=extra, watching=watching)
        for probe in matrix.probes(application)
        if probe.route is not None and probe.credential in {MISSING, PUBLIC, *tokens}
    ]
    return [finding for finding in (listing, *found) if finding is not None]


async def check_probe(
    application: Any,
    matrix: Matrix,
    probe: Probe,
    tokens: Mapping[str, str],
    *,
    extra: Iterable[Scheme] = (),
    watching: Watching = nullcontext,
) -> Finding | None:
    """Carry one test of the matrix out.

    Args:
        application: An ASGI application whose lifespan runs.
        matrix: What the project says.
        probe: One of its probes.
        tokens: By the names of the credentials.
        extra: Where else the application looks for credentials.
        watching: Watches the database, if there is one.
    """
    route, name = probe.route, probe.credential
    if route is None:
        return matrix.listing(application)
    token = tokens.get(name)
    if name == PUBLIC:
        return await _is_public(application, route)
    if name == VALID:
        return await _is_accepted(application, route, token, extra)
    with watching() as watch:
        return await ask(application, route, name, token, extra=extra, terms=matrix.terms, watch=watch)


async def _is_accepted(application: Any, route: Route, token: str | None, extra: Iterable[Scheme]) -> Finding | None:
    """A good credential is not refused: or all other refusals would mean nothing."""
    request = request_for(route).with_credentials(carry(token, places(route, extra)))
    if route.method == WEBSOCKET:
        if await shake_hands(application, request) is not None:
            return None
    elif await status_of(application, route, request) != 401:
        return None
    return Finding(
        route,
        VALID,
        "refused, so that its other refusals say nothing",
        why="The token names its user otherwise than the application expects (by default with the user's id), test_user"
        " has not committed its user, or the credentials are carried elsewhere.",
        do='Write crucible_access_token = "tests.tokens:mint" with mint(user, expires_delta=None), commit in test_user,'
        ' or write a fixture auth_scheme that returns "bearer", "header:NAME", "query:NAME" or "cookie:NAME".',
    )


async def _is_public(application: Any, route: Route) -> Finding | None:
    """A route that is listed as public although it looks at credentials lets strangers in."""
    request = request_for(route)
    if route.method == WEBSOCKET:
        refused = await shake_hands(application, request) is None
    else:
        refused = await status_of(application, route, request) in {401, 403}
    if not refused:
        return None
    return Finding(
        route,
        MISSING,
        "refused, and it is listed as public",
        why="It is not public, and would be asked for its refusals if it were not listed.",
        do="Take it out of public.",
    )
