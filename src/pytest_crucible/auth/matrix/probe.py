"""One request to one route with one credential, which must be refused and change no row."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from ... import app
from ...control.row_changes import RowChange, RowWatch
from ...errors import RefusalError
from ..routes import WEBSOCKET, Route
from ..schemes import Scheme, carry
from .requests import Request, likely_places, request_for
from .websockets import REFUSALS, shake_hands

UNAUTHORIZED = frozenset({401, 403})


@dataclass(frozen=True)
class Terms:
    """The definition of a refusal; see `route_matrix`."""

    statuses: frozenset[int] = UNAUTHORIZED
    codes: frozenset[int] = REFUSALS
    may_write: frozenset[str] = frozenset()


@dataclass(frozen=True)
class RouteFinding:
    """A route that did not refuse.

    Attributes:
        route: The route; None if the fault is in the list of public routes.
        credential: The fault of the credential: ``missing``, ``expired`` and so on.
        found: The application's reaction.
        cause: The exception that the application did not handle, if there was one.
        unclear: True if the route may be right, and the test cannot decide it.
    """

    route: Route | None
    credential: str
    found: str
    why: str = ""
    do: str = ""
    cause: BaseException | None = None
    unclear: bool = False

    def error(self) -> RefusalError:
        """Return the finding as an error."""
        where = f"{self.route} with {_worded(self.credential)}" if self.route else "Routes"
        error = RefusalError(f"{where}: {self.found}.", why=self.why, do=self.do)
        error.__cause__ = self.cause
        return error

    def __str__(self) -> str:
        return str(self.error())


@dataclass(frozen=True)
class Outcome:
    """A route's answer.

    Attributes:
        found: The route's reaction instead of a refusal; None if it refused.
        status: The status of the HTTP response.
        body: The body of an HTTP response with the status 401 or 403.
    """

    found: str | None
    status: int = 0
    body: bytes = b""


@dataclass(frozen=True)
class ProbeClient:
    """A client that no user has logged in to.

    Attributes:
        application: An ASGI application whose lifespan runs.
        options: The options of its requests, as for the fixture ``client_options``.
        extra: Places where the application takes credentials though no route declares them.
    """

    application: Any
    options: Mapping[str, Any] = field(default_factory=dict)
    extra: tuple[Scheme, ...] = ()

    async def ask(self, route: Route, token: str | None, terms: Terms, *, complete: bool = True) -> Outcome:
        """Send a request with *token* to *route*.

        Args:
            route: One of the application's.
            token: None for no credentials.
            terms: The definition of a refusal.
            complete: True to send a body. A route that needs one changes nothing without it.

        Raises:
            Exception: Any exception that the application does not handle.
        """
        places = dict.fromkeys([*(route.schemes or likely_places(route)), *self.extra])
        request = request_for(route).with_credentials(carry(token, places))
        if not complete:
            request.body.clear()
        if route.method == WEBSOCKET:
            url = str(self.options.get("base_url", app.BASE_URL))
            reaction = await shake_hands(self.application, request, terms.codes, url, self.options.get("headers") or {})
            return Outcome(reaction and f"the websocket {reaction}")
        status, body = await self._answer(route, request)
        reaction = None if status in terms.statuses else f"answered {status}, not {_listed(terms.statuses)}"
        return Outcome(reaction, status, body)

    async def _answer(self, route: Route, request: Request) -> tuple[int, bytes]:
        cookies = {**(self.options.get("cookies") or {}), **request.cookies}
        kwargs = {**self.options, "cookies": cookies, "raise_app_exceptions": True}
        async with (
            app.client(self.application, **kwargs) as client,
            client.stream(
                route.method, request.path, params=request.query, headers=request.headers, **request.body
            ) as response,
        ):
            body = await response.aread() if response.status_code in UNAUTHORIZED else b""
            return int(response.status_code), body


async def ask(
    client: ProbeClient, route: Route, credential: str, token: str | None, terms: Terms, watch: RowWatch | None = None
) -> RouteFinding | None:
    """Send a request to *route* with a credential that it must refuse.

    Returns:
        The fault, or None if the route refused and wrote nothing.
    """
    try:
        outcome = await client.ask(route, token, terms)
    except Exception as error:  # noqa: BLE001 - whatever the application does not handle
        return _raised(route, credential, error)
    if outcome.found is not None:
        return RouteFinding(route, credential, outcome.found, *_advice(outcome.status))
    changes = watch.changes(terms.may_write) if watch is not None else []
    return _wrote(route, credential, changes) if changes else None


def _raised(route: Route, credential: str, error: Exception) -> RouteFinding:
    return RouteFinding(
        route,
        credential,
        f"the application raised {type(error).__name__}: {error}",
        why="It does not handle an error that this credential causes, and would answer 500.",
        do="Catch it where the credentials are read, and answer 401; close a websocket.",
        cause=error,
    )


def _wrote(route: Route, credential: str, changes: list[RowChange]) -> RouteFinding:
    tables = ", ".join(change.table for change in changes)
    return RouteFinding(
        route,
        credential,
        f"refused, but {tables} changed",
        why="\n".join(map(str, changes))
        + "\nThe application commits a change before it checks the credentials; or one of its tasks did so meanwhile.",
        do="Let the route depend on its security first; name tables that it may write (a log of attempts, a heartbeat)"
        " in route_matrix(may_write=[…]).",
    )


def _advice(status: int) -> tuple[str, str]:
    if not status:
        why = "A client without valid credentials is connected, or cannot tell that it is refused."
        do = (
            "Close before accepting (the client sees 403), or accept and close at once with 1008, 3000 or 4401. Name"
            " other codes in route_matrix(codes=[…]); if any client may connect, list the route in public."
        )
        return why, do
    if status == 422:
        why = (
            "The request was refused because of another parameter, before the credentials were checked: any client can"
            " learn the parameters, and the test cannot see whether the route is guarded."
        )
        do = "Give the rejected parameter an example: Query(examples=[…]), Path(examples=[…]), Field(examples=[…])."
        return why, do
    if status in {404, 405, 307, 308}:
        why = (
            "Another route answered, or the route looked for its object before it checked the credentials: any client"
            " can learn which objects exist."
        )
        return why, "Check the credentials first."
    if status >= 500:
        return "The application fails on this credential.", "Catch it where the credentials are read, and answer 401."
    if status >= 300:
        return "", f"If this application refuses with {status}, add it: route_matrix(statuses=[401, 403, {status}])."
    return (
        "A client with these credentials is let in.",
        "Let the route depend on a function that reads the credentials and checks signature, expiry and algorithm.",
    )


def _worded(credential: str) -> str:
    return {"missing": "no credentials", "valid": "good credentials"}.get(credential, f"{credential} credentials")


def _listed(statuses: Iterable[int]) -> str:
    return " or ".join(map(str, sorted(statuses)))
