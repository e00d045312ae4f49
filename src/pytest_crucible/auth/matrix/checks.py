"""The execution of the route matrix: one of its tests, or all of them as a plain function."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager, nullcontext
from typing import Any

from ...control.row_changes import RowWatch
from ..routes import WEBSOCKET, Route, schemes_of
from ..schemes import read_scheme
from ..tokens.bad import MALFORMED
from .matrix import MISSING, PUBLIC, VALID, Matrix, Probe, matrix_of, route_matrix
from .probe import Outcome, ProbeClient, RouteFinding, Terms, ask

Watching = Callable[[], AbstractContextManager["RowWatch | None"]]


async def check_routes(
    application: Any,
    tokens: Mapping[str, str],
    *,
    scheme: str | None = None,
    client_options: Mapping[str, Any] | None = None,
    watching: Watching = nullcontext,
    **says: Any,
) -> list[RouteFinding]:
    """Request every route with every credential that it must refuse, and return the faults.

    A credential that *tokens* lacks is not tried.

    Args:
        application: A FastAPI or Starlette application whose lifespan runs.
        tokens: Tokens by the names of the credentials, as `bad_tokens` makes them; ``valid`` may be among them.
        scheme: The place where the application takes credentials, if its routes do not declare it:
            ``cookie:access_token``.
        client_options: The options of the clients, such as ``{"base_url": "https://shop.example"}``.
        watching: A context manager that watches the database for changes, if there is one.
        says: ``public``, ``may_write``, ``secured`` and so on: as for `route_matrix`.
    """
    matrix = matrix_of(route_matrix(**says)) or Matrix()
    extra = (read_scheme(scheme, schemes_of(application)),) if scheme else ()
    client = ProbeClient(application, client_options or {}, extra)
    known = {MISSING, PUBLIC, *tokens}
    probes = [probe for probe in matrix.probes(application) if probe.route is None or probe.credential in known]
    findings = [await check_probe(client, matrix, probe, tokens, watching) for probe in probes]
    return [finding for finding in findings if finding is not None and not finding.unclear]


async def check_probe(
    client: ProbeClient, matrix: Matrix, probe: Probe, tokens: Mapping[str, str], watching: Watching = nullcontext
) -> RouteFinding | None:
    """Carry out one test of the matrix."""
    route, name = probe.route, probe.credential
    if route is None:
        return matrix.listing(client.application)
    if name == PUBLIC:
        return await _is_public(client, route)
    if name == VALID:
        return await _is_accepted(client, route, tokens[VALID])
    with watching() as watch:
        return await ask(client, route, name, tokens.get(name), matrix.terms, watch)


async def _is_accepted(client: ProbeClient, route: Route, token: str) -> RouteFinding | None:
    """Check that the route accepts a good credential: otherwise its other refusals would mean nothing."""
    complete = route.method in {"GET", WEBSOCKET}
    answer = await _answer(client, route, token, complete=complete)
    if answer.found is not None:
        return None
    if answer.status == 403:
        bad = await _answer(client, route, MALFORMED, complete=complete)
        reaction = "answers a good and a bad token alike: the user may not do this, or the token is not understood"
        return RouteFinding(route, VALID, reaction, unclear=True) if answer.body == bad.body else None
    return RouteFinding(
        route,
        VALID,
        "refused, so that its other refusals prove nothing",
        why="The token names its user in another way than the application expects (by default with the user's id),"
        " test_user has not committed its user, or the application takes credentials in another place.",
        do='Write crucible_access_token = "tests.tokens:mint" with mint(user, expires_delta=None), commit in test_user,'
        ' or write a fixture auth_scheme that returns "bearer", "header:NAME", "query:NAME" or "cookie:NAME".',
    )


async def _is_public(client: ProbeClient, route: Route) -> RouteFinding | None:
    """Check that a route that reads credentials, and is listed as public, accepts a request without any."""
    if (await _answer(client, route, None)).found is not None:
        return None
    return RouteFinding(
        route,
        MISSING,
        "refused, but it is listed as public",
        why="It is not public; the matrix would test its refusals if it were not listed.",
        do="Remove it from public.",
    )


async def _answer(client: ProbeClient, route: Route, token: str | None, *, complete: bool = True) -> Outcome:
    try:
        return await client.ask(route, token, Terms(), complete=complete)
    except Exception as error:  # noqa: BLE001 - a failure is no refusal, and no matter of this test
        return Outcome(repr(error))
