"""The route matrix: the credentials for each route, and the project's declarations about its routes."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from fnmatch import fnmatchcase
from typing import Any

from ..routes import WEBSOCKET, Route, routes_of
from .probe import RouteFinding, Terms
from .requests import needs_body

MISSING = "missing"
# Every route is tested with these…
EVERYWHERE = (MISSING, "malformed", "expired", "tampered", "wrong-key", "alg-none")
# …and one route of each guard with these: a single function of the guard reads the claims of a token.
ONCE = ("wrong-audience", "wrong-issuer")
VALID = "valid"
# A route that reads credentials and is listed as public must accept a request without any.
PUBLIC = "public"
UNLISTED = "every route is secured or public"


@dataclass(frozen=True)
class Probe:
    """One test of the matrix: a route and a credential.

    Without a route, the test checks that every route is secured or public.
    """

    route: Route | None
    credential: str

    def __str__(self) -> str:
        return f"{self.route}-{self.credential}" if self.route else self.credential


@dataclass(frozen=True)
class Matrix:
    """The project's declarations about its routes: the arguments of `route_matrix`."""

    public: tuple[str, ...] = ()
    terms: Terms = field(default_factory=Terms)
    guards: tuple[Any, ...] = ()
    secured: tuple[str, ...] = ()
    credentials: tuple[str, ...] = (*EVERYWHERE, *ONCE, VALID)

    def probes(self, application: Any) -> list[Probe]:
        """Return every test of the matrix, in the order of the routes."""
        routes = routes_of(application, self.guards)
        refusing = [route for route in routes if self._must_refuse(route)]
        refusals = (
            Probe(route, name)
            for route in refusing
            for name in self.credentials
            if name in EVERYWHERE or route in _once(name, route, refusing)
        )
        claimed = (Probe(route, PUBLIC) for route in routes if self._is_secured(route) and str(route) in self.public)
        return [Probe(None, UNLISTED), *refusals, *claimed]

    def listing(self, application: Any) -> RouteFinding | None:
        """Check that every route declares security or is listed as public, and that every listed route exists."""
        routes = routes_of(application, self.guards)
        names = [str(route) for route in routes]
        silent = [str(route) for route in routes if not self._is_secured(route) and route.method != WEBSOCKET]
        unlisted = [name for name in silent if name not in self.public]
        if unlisted:
            return RouteFinding(
                None,
                UNLISTED,
                f"declare no security dependency and are not listed as public: {', '.join(unlisted)}",
                why="Any client may call them. This may be intended, or a dependency may be missing.",
                do="Add the dependency, or confirm the routes that are public:\n\n"
                + _pasted([name for name in names if name in unlisted or name in self.public]),
            )
        stale = [name for name in self.public if name not in names]
        if stale:
            return RouteFinding(
                None,
                UNLISTED,
                f"listed as public, but do not exist: {', '.join(stale)}",
                why="A path is written with all its prefixes, a method in capitals, a websocket with WS.",
                do="Correct the entry, or remove it.",
            )
        return None

    def _must_refuse(self, route: Route) -> bool:
        return str(route) not in self.public and (self._is_secured(route) or route.method == WEBSOCKET)

    def _is_secured(self, route: Route) -> bool:
        return route.secured or any(fnmatchcase(str(route), pattern) for pattern in self.secured)


def route_matrix(  # noqa: PLR0913 - each by its name
    *,
    public: Iterable[str] = (),
    may_write: Iterable[str] = (),
    statuses: Iterable[int] = Terms.statuses,
    codes: Iterable[int] = Terms.codes,
    guards: Iterable[Callable[..., Any]] = (),
    secured: Iterable[str] = (),
    credentials: Iterable[str] = Matrix.credentials,
) -> Callable[..., Any]:
    """Return a test that requests every route with credentials which it must refuse.

    Args:
        public: Routes that need no credentials. One that declares no security and is not listed fails.
        may_write: Tables that a refused request may write, such as a log of attempts.
        statuses: The statuses of HTTP that count as a refusal.
        codes: The close codes that count as a refusal of a websocket after it was accepted.
        guards: Dependencies that refuse requests without ``fastapi.security``: they read a session or a header.
        secured: Routes that refuse requests without declaring it: by middleware, by a decorator, in their own code.
            ``*`` stands for any text: ``* /admin/*``.
        credentials: The credentials that each route is tested with; all by default.

    Raises:
        TypeError: If an argument is a text and not a list, or names an unknown credential.
    """
    _check(public=public, may_write=may_write, secured=secured, credentials=credentials)
    terms = Terms(frozenset(statuses), frozenset(codes), frozenset(may_write))
    return _test_of(Matrix(tuple(public), terms, tuple(guards), tuple(secured), tuple(credentials)))


def _check(**lists: Iterable[str]) -> None:
    for name, value in lists.items():
        if isinstance(value, str):
            raise TypeError(f"{name} must be a list: write {name}=[{value!r}].")
    unknown = [name for name in lists["credentials"] if name not in Matrix.credentials]
    if unknown:
        raise TypeError(f"there are no credentials {', '.join(unknown)}. There are {', '.join(Matrix.credentials)}.")


def _test_of(matrix: Matrix) -> Callable[..., Any]:
    async def test_routes_refuse_bad_credentials(crucible_probe: Probe, crucible_route_matrix: Any) -> None:
        """Check that the route refuses this credential and that no row has changed."""
        await crucible_route_matrix(matrix, crucible_probe)

    test_routes_refuse_bad_credentials.crucible_matrix = matrix  # type: ignore[attr-defined]
    return test_routes_refuse_bad_credentials


def matrix_of(test: object) -> Matrix | None:
    """Return the matrix of a test that `route_matrix` made; None for any other object."""
    return vars(test).get("crucible_matrix") if callable(test) and hasattr(test, "__dict__") else None


def _once(name: str, route: Route, routes: list[Route]) -> list[Route]:
    """Return the one route to test among those that share *route*'s guard; a websocket that guards itself is alone."""
    alike = [other for other in routes if other.guard == route.guard] if route.guard else [route]
    if name != VALID:
        return alike[:1]
    if not route.guard and "{" in route.path:
        return []  # a route to an object may refuse because the object does not exist
    # With a good credential, only a route that reads, or a request without its body, changes nothing.
    reading = [other for other in alike if other.method in {"GET", WEBSOCKET}]
    return (reading or [other for other in alike if needs_body(other)])[:1]


def _pasted(names: Iterable[str]) -> str:
    lines = "".join(f'        "{name}",\n' for name in names)
    return f"test_routes_refuse_bad_credentials = route_matrix(\n    public=[\n{lines}    ]\n)"
