"""Routes as applications declare them, found and asked without a database."""

import asyncio
import base64
from collections.abc import AsyncIterator
from typing import Annotated, Any

import pytest
from fastapi import APIRouter, Depends, FastAPI, HTTPException, Request, WebSocket, WebSocketException
from fastapi.security import (
    APIKeyCookie,
    APIKeyHeader,
    APIKeyQuery,
    HTTPBasic,
    HTTPBearer,
    HTTPDigest,
    OAuth2AuthorizationCodeBearer,
    OAuth2PasswordBearer,
    OpenIdConnect,
)
from starlette.applications import Starlette
from starlette.endpoints import HTTPEndpoint
from starlette.middleware.cors import CORSMiddleware
from starlette.middleware.trustedhost import TrustedHostMiddleware
from starlette.requests import HTTPConnection
from starlette.responses import PlainTextResponse, Response, StreamingResponse
from starlette.routing import Host, Mount, Route, WebSocketRoute
from starlette.staticfiles import StaticFiles

from pytest_crucible import UsageError
from pytest_crucible.auth import bad_tokens, check_routes, route_matrix, routes_of
from pytest_crucible.auth.matrix.checks import check_probe
from pytest_crucible.auth.matrix.matrix import matrix_of
from pytest_crucible.auth.matrix.probe import ProbeClient
from pytest_crucible.auth.routes import schemes_of
from pytest_crucible.auth.schemes import carry, read_scheme, the_one

GOOD = "good"
TOKENS = {"valid": GOOD, **bad_tokens(GOOD, expired="old")}


def fastapi(**words: Any) -> FastAPI:
    return FastAPI(openapi_url=None, **words)


def findings(application: Any, **says: Any) -> list[str]:
    found = asyncio.run(check_routes(application, TOKENS, **says))
    return [f"{one.route or 'list'}-{one.credential}" for one in found]


SCHEMES = [
    OAuth2PasswordBearer(tokenUrl="token"),
    OAuth2AuthorizationCodeBearer(authorizationUrl="a", tokenUrl="t"),
    OpenIdConnect(openIdConnectUrl="o"),
    HTTPBearer(),
    HTTPBasic(),
    HTTPDigest(),
    APIKeyHeader(name="X-Key"),
    APIKeyQuery(name="key"),
    APIKeyCookie(name="key"),
]


def read(credential: Any) -> str:
    """Return the token in what a security class of FastAPI's gives."""
    text = getattr(credential, "credentials", None) or getattr(credential, "password", None) or credential
    return str(text).removeprefix("Bearer ")


@pytest.mark.parametrize("scheme", SCHEMES, ids=lambda scheme: type(scheme).__name__)
def test_every_security_class(scheme):
    """A route that checks is accepted with the good credential and refuses the others; one that does not is caught."""
    app = fastapi()

    @app.get("/checked")
    async def checked(credential: Annotated[Any, Depends(scheme)]) -> None:
        if read(credential) != GOOD:
            raise HTTPException(401)

    @app.get("/blind")
    async def blind(credential: Annotated[Any, Depends(scheme)]) -> None: ...

    assert set(findings(app)) == {f"GET /blind-{name}" for name in ("malformed", "expired", "tampered")}


def test_the_good_credential_is_refused():
    """A route that refuses every client would pass for a safe one: that is found."""
    app = fastapi()

    @app.get("/me", dependencies=[Depends(HTTPBearer())])
    async def me() -> None:
        raise HTTPException(401)

    assert findings(app) == ["GET /me-valid"]


def test_what_only_writes_is_not_carried_out():
    """Where no route of a guard reads, the good credential is tried without the body, so that nothing is written."""
    app, written = fastapi(), []

    def nobody(token: Annotated[Any, Depends(HTTPBearer())]) -> None:
        raise HTTPException(401)

    def somebody(token: Annotated[Any, Depends(HTTPBearer())]) -> None:
        if read(token) != GOOD:
            raise HTTPException(403)

    def record(amount: dict[str, int]) -> None:
        written.append(amount)

    for guard in (nobody, somebody):
        app.delete(f"/{guard.__name__}", dependencies=[Depends(guard)])(lambda: written.append("deleted"))
        app.post(f"/{guard.__name__}", dependencies=[Depends(guard)])(record)
    assert findings(app, credentials=["valid"]) == ["POST /nobody-valid"]
    assert written == []


def test_a_user_who_may_not():
    """403 with an answer of its own is a matter of rights; with the same answer as to a bad token it is unclear."""
    app = fastapi()

    def admin(token: Annotated[Any, Depends(HTTPBearer())]) -> None:
        raise HTTPException(403, "not an admin" if read(token) == GOOD else "not a token")

    def alike(token: Annotated[Any, Depends(HTTPBearer())]) -> None:
        raise HTTPException(403)

    for guard in (admin, alike):
        app.get(f"/{guard.__name__}", dependencies=[Depends(guard)])(lambda: None)
    assert findings(app) == []
    matrix = matrix_of(route_matrix())
    probes = [probe for probe in matrix.probes(app) if probe.credential == "valid"]
    found = [asyncio.run(check_probe(ProbeClient(app), matrix, probe, TOKENS)) for probe in probes]
    assert [one and one.unclear for one in found] == [None, True]


def secured(token: Annotated[str, Depends(SCHEMES[0])]) -> None:
    if token != GOOD:
        raise HTTPException(401)


def test_routers_mounts_and_hidden_routes():
    """Prefixes of routers and mounts belong to the path; what a router depends on guards its routes, hidden or not."""
    inner, outer = APIRouter(prefix="/inner"), APIRouter(prefix="/outer", dependencies=[Depends(secured)])
    inner.get("/a")(lambda: None)
    live = APIRouter(prefix="/live")
    live.websocket("/ws")(lambda websocket: None)
    outer.include_router(inner, prefix="/between")
    outer.api_route("/b", methods=["PUT", "PATCH"], include_in_schema=False)(lambda: None)
    mounted, app = fastapi(dependencies=[Depends(secured)]), fastapi()
    mounted.get("/c")(lambda: None)
    app.include_router(outer, prefix="/v1")
    app.include_router(live, prefix="/v1")
    app.mount("/sub/{tenant}", mounted)
    app.mount("/static", StaticFiles(directory="."))
    found = {str(route): route.secured for route in routes_of(app)}
    assert found == {
        "GET /v1/outer/between/inner/a": True,
        "PATCH /v1/outer/b": True,
        "PUT /v1/outer/b": True,
        "WS /v1/live/ws": False,
        "GET /sub/{tenant}/c": True,
        "* /static/…": False,
    }
    assert findings(app, public=["* /static/…", "WS /v1/live/ws"]) == []
    assert findings(app, public=["WS /v1/live/ws"]) == ["list-every route is secured or public"]


def test_starlette():
    """Routes of Starlette declare nothing: they are listed, the websockets asked, through middleware and hosts."""

    class Endpoint(HTTPEndpoint):
        async def get(self, request: Any) -> Any: ...

        async def delete(self, request: Any) -> Any: ...

    async def talk(websocket: WebSocket) -> None:
        await websocket.accept()
        await websocket.receive()

    def answer(request: Any) -> Any:
        return PlainTextResponse("")

    inner = Starlette(routes=[Route("/hosted", answer)])
    inside = [Route("/{number:int}", answer, methods=["GET", "POST"]), WebSocketRoute("/ws", talk)]
    app = CORSMiddleware(
        Starlette(routes=[Route("/class", Endpoint), Mount("/in", routes=inside), Host("{sub}.test", inner)])
    )
    listed = ["DELETE /class", "GET /class", "GET /in/{number:int}", "POST /in/{number:int}", "GET {sub}.test/hosted"]
    assert [str(route) for route in routes_of(app)] == [*listed[:4], "WS /in/ws", listed[4]]
    every = ["missing", "malformed", "expired", "tampered"]
    assert findings(app, public=listed) == [f"WS /in/ws-{name}" for name in every]
    assert findings(app, public=[*listed, "WS /in/ws"]) == []
    found = findings(app, public=[*listed[:3], "WS /in/ws"], secured=["* /in/*", "GET *hosted"])
    assert found == [f"{route}-{name}" for route in ("POST /in/{number:int}", listed[-1]) for name in every]


def test_routes_that_never_end():
    """A stream that lets strangers in is caught at its first word, and a websocket that hangs up late at once."""
    app, ended = fastapi(), []

    @app.get("/events", dependencies=[Depends(HTTPBearer(auto_error=False))])
    async def events() -> StreamingResponse:
        async def tick() -> AsyncIterator[str]:
            try:
                while True:
                    yield "tick"
                    await asyncio.sleep(0.001)
            finally:
                ended.append("events")

        return StreamingResponse(tick())

    @app.websocket("/ws")
    async def talk(websocket: WebSocket) -> None:
        await websocket.accept()
        try:
            async for _ in websocket.iter_text():
                pass
        finally:
            ended.append("ws")

    found = findings(app, credentials=["missing", "malformed"])
    assert found == [f"{route}-{name}" for route in ("GET /events", "WS /ws") for name in ("missing", "malformed")]
    assert ended == ["events", "events", "ws", "ws"]


def test_a_websocket_by_its_subprotocol():
    """A token that is carried as a subprotocol."""
    app = fastapi()

    @app.websocket("/ws")
    async def talk(websocket: WebSocket) -> None:
        if websocket.scope["subprotocols"] != [GOOD]:
            await websocket.close()
            return
        await websocket.accept(GOOD)
        await websocket.receive()

    assert findings(app) == ["WS /ws-valid"]
    assert findings(app, scheme="header:Sec-WebSocket-Protocol") == []


@pytest.mark.parametrize("refusal", ["exception", "denial", "closes", "nothing", "raises", "denies 500"])
def test_how_a_websocket_refuses(refusal):
    """Raised, denied with 401, or closed before accepting is refused; returning or raising something else is not."""
    app = fastapi()

    @app.websocket("/ws")
    async def talk(websocket: WebSocket) -> None:
        if refusal == "exception":
            raise WebSocketException(1008)
        if refusal == "denial":
            await websocket.send_denial_response(Response(status_code=401))
        elif refusal == "denies 500":
            await websocket.send_denial_response(Response(status_code=500))
        elif refusal == "closes":
            await websocket.close(4999)
        elif refusal == "raises":
            raise LookupError("nobody")

    found = asyncio.run(check_routes(app, {}))
    words = {"nothing": "returned without", "raises": "raised LookupError: nobody", "denies 500": "answered 500"}
    assert len(found) == (refusal in words)
    assert not found or words[refusal] in found[0].found


def test_hosts_that_are_trusted():
    """Requests go where clients of the project send them, with the headers that they send."""
    app = fastapi()
    app.add_middleware(TrustedHostMiddleware, allowed_hosts=["shop.example"])

    def tenant(connection: HTTPConnection) -> None:
        if connection.headers.get("X-Tenant") != "north":
            raise HTTPException(400)

    app.get("/a", dependencies=[Depends(tenant), Depends(secured)])(lambda: None)

    @app.websocket("/ws", dependencies=[Depends(tenant)])
    async def talk(websocket: WebSocket) -> None:
        await websocket.accept()

    options = {"base_url": "https://shop.example", "headers": {"X-Tenant": "north"}}
    assert findings(app, credentials=["missing"]) == ["GET /a-missing", "WS /ws-missing"]
    found = asyncio.run(check_routes(app, {}, client_options=options))
    assert [one.found for one in found] == ["the websocket accepted and returned without an answer"]


def test_guards_of_the_project():
    """A dependency that reads the header itself guards a route if the project says so."""
    app = fastapi()

    def custom(request: Request) -> None:
        if request.headers.get("X-Key") != GOOD:
            raise HTTPException(403)

    app.get("/a", dependencies=[Depends(custom)])(lambda: None)
    assert findings(app) == ["list-every route is secured or public"]
    assert findings(app, guards=[custom], scheme="header:X-Key") == []


def test_several_schemes():
    """A bearer comes first; of several others the project must choose."""
    app = fastapi()
    for path, scheme in (("/a", SCHEMES[6]), ("/b", SCHEMES[8])):
        app.get(path, dependencies=[Depends(scheme)])(lambda: None)
    with pytest.raises(UsageError, match="in 2 ways: header:X-Key, cookie:key") as caught:
        the_one(schemes_of(app))
    assert 'return "header:X-Key"' in caught.value.do
    app.get("/c", dependencies=[Depends(SCHEMES[3])])(lambda: None)
    assert [str(one) for one in the_one(schemes_of(app))] == ["bearer"]
    assert read_scheme("APIKeyCookie", schemes_of(app)).name == "key"
    with pytest.raises(UsageError, match="'cookie', which is no place"):
        read_scheme("cookie", schemes_of(app))


def test_where_credentials_go():
    """Each place has its form; without a token nothing is carried."""
    app = fastapi()
    for at, scheme in enumerate(SCHEMES):
        app.get(f"/{at}", dependencies=[Depends(scheme)])(lambda: None)
    basic = base64.b64encode(b"t:t").decode()
    carried = [carry("t", route.schemes) for route in routes_of(app)]
    assert [one.headers.get("Authorization") for one in carried[:6]] == ["Bearer t"] * 4 + [
        f"Basic {basic}",
        "Digest t",
    ]
    assert (carried[6].headers, carried[7].query, carried[8].cookies) == ({"X-Key": "t"}, {"key": "t"}, {"key": "t"})
    assert carry(None, schemes_of(app)) == carry(None, [])
