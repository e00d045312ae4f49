"""The route matrix: every route is asked with every credential that it must refuse."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, field
from typing import Any

from ..changes import Watch
from ..errors import RefusalError
from .asking import Finding, Terms, ask, places, status_of
from .declared import WEBSOCKET, Route, routes_of
from .requests import request_for
from .schemes import Scheme, carry
from .websockets import shake_hands

MISSING = "missing"
# Each route is asked with these…
EVERYWHERE = (MISSING, "malformed", "expired", "tampered", "wrong-key", "alg-none")
# …and the first route of each guard with these: it is one function that reads the claims of a token.
ONCE = ("wrong-audience", "wrong-issuer")
VALID = "valid"
UNLISTED = "every route is secured or public"


@dataclass(frozen=True)
class Probe:
    """One test of the matrix: a route and a credential. Without a route: are all routes secured or public?"""

    route: Route | None
    credential: str

    def __str__(self) -> str:
        return f"{self.route}-{self.credential}" if self.route else self.credential


@dataclass(frozen=True)
class Matrix:
    """What a project says of its routes.

    Attributes:
        public: Routes that need no credentials, as ``GET /health``.
        terms: What counts as a refusal.
        guards: Dependencies that refuse strangers without using ``fastapi.security``.
        credentials: What each route is asked with.
    """

    public: tuple[str, ...] = ()
    terms: Terms = field(default_factory=Terms)
    guards: tuple[Any, ...] = ()
    credentials: tuple[str, ...] = (*EVERYWHERE, *ONCE, VALID)

    def routes(self, application: Any) -> list[Route]:
        """The routes that must refuse: secured ones, and websockets that are not public."""
        return [route for route in routes_of(application, self.guards) if self._must_refuse(route)]

    def _must_refuse(self, route: Route) -> bool:
        return str(route) not in self.public and (route.secured or route.method == WEBSOCKET)

    def probes(self, application: Any) -> list[Probe]:
        """Every test of the matrix, in the order of the routes."""
        routes = self.routes(application)
        return [
            Probe(None, UNLISTED),
            *(
                Probe(route, name)
                for route in routes
                for name in self.credentials
                if name in EVERYWHERE or route in _once(name, route, routes)
            ),
        ]

    def check_listing(self, application: Any) -> None:
        """Every route declares security or is listed as public, and nothing else is listed.

        Raises:
            RefusalError: With the list to write.
        """
        routes = routes_of(application, self.guards)
        names = [str(route) for route in routes]
        unlisted = [name for name, route in zip(names, routes, strict=True) if self._is_unlisted(route)]
        stale = [name for name in self.public if name not in names]
        secured = [name for name, route in zip(names, routes, strict=True) if route.secured and name in self.public]
        if unlisted:
            listed = [name for name in names if name in unlisted or (name in self.public and name not in secured)]
            raise RefusalError(
                f"{len(unlisted)} routes declare no security dependency: {', '.join(unlisted)}.",
                why="Anybody may call them. Perhaps that is meant; perhaps a dependency was forgotten.",
                do="Add the dependency, or confirm those that are meant for everybody:\n\n" + _pasted(listed),
            )
        if stale or secured:
            raise RefusalError(
                f"public lists {', '.join(stale + secured)}.",
                why="There is no such route." if stale else "It declares a security dependency: it is not public.",
                do="Take it out of the list.",
            )

    def _is_unlisted(self, route: Route) -> bool:
        return not route.secured and route.method != WEBSOCKET and str(route) not in self.public


def _once(name: str, route: Route, routes: list[Route]) -> list[Route]:
    """Of the routes that one function guards with *route*, the one to ask; a websocket that guards itself, itself."""
    if not route.guard:
        # One that leads to an object may refuse because that is not there.
        return [route] if name != VALID or "{" not in route.path else []
    alike = [one for one in routes if one.guard == route.guard]
    return ([one for one in alike if one.method == "GET"] if name == VALID else alike)[:1]


def route_matrix(
    *,
    public: Iterable[str] = (),
    may_write: Iterable[str] = (),
    statuses: Iterable[int] = (401, 403),
    codes: Iterable[int] = Terms.codes,
    guards: Iterable[Callable[..., Any]] = (),
    credentials: Iterable[str] = Matrix.credentials,
) -> Callable[..., Any]:
    """A test that asks every route with credentials which it must refuse.

    ::

        test_routes_refuse_bad_credentials = route_matrix(public=["POST /token", "GET /health"])

    Args:
        public: Routes that need no credentials. One that declares no security and is not listed fails.
        may_write: Tables that a refused request may write, such as a log of attempts.
        statuses: What counts as a refusal.
        codes: The codes of a websocket's close that count as a refusal after it was accepted.
        guards: Dependencies that refuse strangers without ``fastapi.security``: they read a session, a header.
        credentials: What each route is asked with, if not with all.

    Raises:
        TypeError: If a text is given where a list belongs, or a credential that there is none of.
    """
    credentials = credentials if isinstance(credentials, str) else tuple(credentials)
    for name, value in {"public": public, "may_write": may_write, "credentials": credentials}.items():
        if isinstance(value, str):
            raise TypeError(f"{name} is a list: write {name}=[{value!r}].")
    unknown = [name for name in credentials if name not in Matrix.credentials]
    if unknown:
        raise TypeError(f"there are no credentials {unknown}. There are {', '.join(Matrix.credentials)}.")
    matrix = Matrix(
        tuple(public),
        Terms(frozenset(statuses), frozenset(codes), frozenset(may_write)),
        tuple(guards),
        tuple(credentials),
    )

    async def test_routes_refuse_bad_credentials(crucible_probe: Probe, crucible_route_matrix: Any) -> None:
        """The route refuses this credential, and no row has changed."""
        await crucible_route_matrix(matrix, crucible_probe)

    test_routes_refuse_bad_credentials.crucible_matrix = matrix  # type: ignore[attr-defined]
    return test_routes_refuse_bad_credentials


async def check_probe(
    application: Any,
    matrix: Matrix,
    probe: Probe,
    tokens: Mapping[str, str],
    *,
    extra: Iterable[Scheme] = (),
    watching: Callable[[], AbstractContextManager[Watch | None]] = nullcontext,
) -> Finding | None:
    """Carry one test of the matrix out.

    Args:
        application: An ASGI application whose lifespan runs.
        matrix: What the project says.
        probe: One of its `probes`, with a route.
        tokens: By the names of the credentials.
        extra: Where else the application looks for credentials.
        watching: Watches the database, if there is one.
    """
    route = probe.route
    if route is None:
        matrix.check_listing(application)
        return None
    token = None if probe.credential == MISSING else tokens[probe.credential]
    if probe.credential == VALID:
        return await _control(application, route, token, extra)
    with watching() as watch:
        return await ask(application, route, probe.credential, token, extra=extra, terms=matrix.terms, watch=watch)


async def _control(application: Any, route: Route, token: str | None, extra: Iterable[Scheme]) -> Finding | None:
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
        "the user's own token is refused, so that the other refusals say nothing",
        why="The token names its user otherwise than the application expects (crucible_access_token gets the user's"
        " id), test_user has not committed its user, or the credentials are carried elsewhere.",
        do='Write crucible_access_token = "tests.tokens:mint" with mint(user, expires_delta=None), commit in test_user,'
        ' or write a fixture auth_scheme that returns "bearer", "header:NAME", "query:NAME" or "cookie:NAME".',
    )


async def check_routes(
    application: Any,
    tokens: Mapping[str, str],
    *,
    matrix: Matrix | None = None,
    extra: Iterable[Scheme] = (),
    watching: Callable[[], AbstractContextManager[Watch | None]] = nullcontext,
) -> list[Finding]:
    """The matrix as a plain function: every route, one after the other.

    Args:
        application: An ASGI application whose lifespan runs.
        tokens: By the names of the credentials, as `bad_tokens` makes them; ``valid`` may be among them.
        matrix: What the project says of its routes.
        extra: Where else the application looks for credentials.
        watching: Watches the database, if there is one: ``partial(changes.watching, control)``.

    Returns:
        What is wrong, nothing if all is well. A credential that *tokens* lacks is not asked with.
    """
    matrix = matrix or Matrix()
    found = [
        await check_probe(application, matrix, probe, tokens, extra=extra, watching=watching)
        for probe in matrix.probes(application)
        if probe.route is not None and probe.credential in {MISSING, *tokens}
    ]
    return [finding for finding in found if finding is not None]


def unlisted(application: Any, guards: Iterable[Any] = ()) -> Iterator[str]:
    """The routes of *application* that declare no security dependency, websockets excepted."""
    for route in routes_of(application, guards):
        if not route.secured and route.method != WEBSOCKET:
            yield str(route)


def _pasted(names: Iterable[str]) -> str:
    lines = "".join(f'        "{name}",\n' for name in names)
    return f"test_routes_refuse_bad_credentials = route_matrix(\n    public=[\n{lines}    ]\n)"


test_routes_refuse_bad_credentials = route_matrix()
