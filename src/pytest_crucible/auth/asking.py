"""One route asked with one credential: did it refuse, and did it leave every row as it was?"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from .. import app
from ..changes import Watch
from ..errors import RefusalError
from .declared import WEBSOCKET, Route
from .requests import Request, likely_places, request_for
from .schemes import Scheme, carry
from .websockets import REFUSALS, shake_hands

UNAUTHORIZED = frozenset({401, 403})


@dataclass(frozen=True)
class Terms:
    """What counts as a refusal.

    Attributes:
        statuses: Of HTTP.
        codes: Of a websocket that is closed after it was accepted.
        may_write: Tables that a refused request may write: a log of attempts.
    """

    statuses: frozenset[int] = UNAUTHORIZED
    codes: frozenset[int] = REFUSALS
    may_write: frozenset[str] = frozenset()


@dataclass(frozen=True)
class Finding:
    """A route that did not refuse.

    Attributes:
        route: Which; None if it is about the list of public routes.
        credential: What was wrong with the credential: ``missing``, ``expired`` and so on.
        found: What the application did.
        cause: The exception that the application did not handle, if that is what happened.
    """

    route: Route | None
    credential: str
    found: str
    why: str = ""
    do: str = ""
    cause: BaseException | None = None

    def error(self) -> RefusalError:
        """The finding as an error."""
        where = f"{self.route} with {_worded(self.credential)}" if self.route else "Routes"
        error = RefusalError(f"{where}: {self.found}.", why=self.why, do=self.do)
        error.__cause__ = self.cause
        return error

    def __str__(self) -> str:
        return str(self.error())


async def ask(  # noqa: PLR0913 - each by its name
    application: Any,
    route: Route,
    credential: str,
    token: str | None,
    *,
    extra: Iterable[Scheme] = (),
    terms: Terms | None = None,
    watch: Watch | None = None,
) -> Finding | None:
    """Ask *route* with a credential that it must refuse.

    Args:
        application: An ASGI application whose lifespan runs.
        route: One of `routes_of` it.
        credential: What is wrong with the credential.
        token: The credential, or None to send none.
        extra: Where else the application looks for credentials.
        terms: What counts as a refusal.
        watch: Sees which rows change, if there is one.

    Returns:
        What is wrong, or None if the route refused and wrote nothing.
    """
    terms = terms or Terms()
    request = request_for(route).with_credentials(carry(token, places(route, extra)))
    speak = _over_websocket if route.method == WEBSOCKET else _over_http
    found = await speak(application, route, credential, request, terms)
    changes = watch.changes(terms.may_write) if watch is not None else []
    if found is None and changes:
        tables = ", ".join(change.table for change in changes)
        found = Finding(
            route,
            credential,
            f"refused, and {tables} changed all the same",
            why="\n".join(map(str, changes))
            + "\nSomething writes, and commits, before the credentials have been looked at; or a task of the"
            " application did so meanwhile.",
            do="Let the route depend on its security first; what is meant to be written (a log of attempts, a"
            " heartbeat) is named in route_matrix(may_write=[…]).",
        )
    return found


def places(route: Route, extra: Iterable[Scheme] = ()) -> list[Scheme]:
    """Where *route* may look for credentials."""
    return list(dict.fromkeys([*(route.schemes or likely_places(route)), *extra]))


async def status_of(application: Any, route: Route, request: Request, *, raises: bool = False) -> int:
    """The status that *route* answers; 500 where the application does not handle an exception, unless it *raises*."""
    async with (
        app.client(application, cookies=request.cookies, raise_app_exceptions=raises) as client,
        client.stream(
            route.method, request.path, params=request.query, headers=request.headers, **request.body
        ) as response,
    ):
        return int(response.status_code)


async def _over_http(application: Any, route: Route, credential: str, request: Request, terms: Terms) -> Finding | None:
    try:
        status = await status_of(application, route, request, raises=True)
    except Exception as error:  # noqa: BLE001 - whatever the application does not handle
        return Finding(
            route,
            credential,
            f"the application raised {type(error).__name__}: {error}",
            why="It does not handle what this credential leads to, and would answer 500.",
            do="Catch it where the credentials are read, and answer 401.",
            cause=error,
        )
    if status in terms.statuses:
        return None
    return Finding(route, credential, f"answered {status}, not {_listed(terms.statuses)}", *_advice(status))


def _advice(status: int) -> tuple[str, str]:
    if status == 422:
        why = (
            "The request was refused because of another parameter, before the credentials were looked at: strangers"
            " learn what it takes, and whether the route is guarded at all was not seen."
        )
        do = "Give what was made up wrongly an example: Query(examples=[…]), Path(examples=[…]), Field(examples=[…])."
        return why, do
    if status in {404, 405, 307, 308}:
        why = (
            "Another route answered, or the route looked for its object before it looked at the credentials: strangers"
            " learn which objects exist."
        )
        return why, "Look at the credentials first."
    if status >= 500:
        return "The application fails on this credential.", "Catch it where the credentials are read, and answer 401."
    if status >= 300:
        return "", f"If {status} is how this application refuses, say so: route_matrix(statuses=[401, 403, {status}])."
    return (
        "Whoever asks like this is let in.",
        "Let the route depend on what reads the credentials, and let that check signature, expiry and algorithm.",
    )


async def _over_websocket(
    application: Any, route: Route, credential: str, request: Request, terms: Terms
) -> Finding | None:
    found = await shake_hands(application, request, terms.codes)
    if found is None:
        return None
    return Finding(
        route,
        credential,
        f"the websocket {found}",
        why="A stranger is connected, or cannot tell that he is refused.",
        do="Close before accepting (the client sees 403), or accept and close at once with 1008, 3000 or 4401. Other"
        " codes are named in route_matrix(codes=[…]); if everybody may connect, list it in public.",
    )


def _worded(credential: str) -> str:
    return {"missing": "no credentials", "valid": "good credentials"}.get(credential, f"{credential} credentials")


def _listed(statuses: Iterable[int]) -> str:
    return " or ".join(map(str, sorted(statuses)))
