"""Applications that let the wrong people in: each is caught, and nothing else is."""

from __future__ import annotations

import pytest

MATRIX = """
from pytest_crucible.auth import test_routes_refuse_bad_credentials
"""
ALL = {"missing", "malformed", "expired", "tampered", "wrong-key", "alg-none"}


def each(route: str, credentials: set[str]) -> set[str]:
    return {f"{route}-{credential}" for credential in credentials}


@pytest.mark.slow
def test_an_application_that_refuses(secured):
    """Every route and the websocket refuse each client that must be refused, and the matrix reports nothing else."""
    result = secured(
        """
        @app.websocket("/stream")
        async def stream(websocket: WebSocket, token: str):
            try:
                await user_of(token)
            except HTTPException:
                raise WebSocketException(1008) from None
            await websocket.accept()
        """,
        MATRIX,
    )
    assert secured.failed(result) == set()
    result.assert_outcomes(passed=15, skipped=4)


@pytest.mark.slow
def test_a_route_without_its_dependency(secured):
    """A route that declares no security fails the listing, with the list to paste; the others are asked."""
    result = secured(
        """
        @app.post("/transfers/{account_id}")
        async def transfer(account_id: int): ...
        """,
        MATRIX,
    )
    assert secured.failed(result) == {"every route is secured or public"}
    result.stdout.fnmatch_lines(["*POST /transfers/{account_id}*", '*        "POST /transfers/{account_id}",'])


@pytest.mark.slow
def test_public_routes_are_confirmed(secured):
    """A listed route is public; one that is not there, or refuses strangers, may not be listed."""
    more = """
    @app.get("/health")
    async def health(): ...

    @app.get("/greeting")
    async def greeting(token=Depends(HTTPBearer(auto_error=False))): ...
    """
    listed = "from pytest_crucible.auth import route_matrix\ntest_routes = route_matrix(public={})"
    good = secured(more, listed.format(["GET /health", "GET /greeting"]), "-k", "every or public")
    good.assert_outcomes(passed=2, deselected=9)
    stale = secured(more, listed.format(["GET /health", "GET /greeting", "GET /helth", "GET /me"]))
    assert secured.failed(stale) == {"every route is secured or public", "GET /me-public"}
    stale.stdout.fnmatch_lines(
        ["*but do not exist: GET /helth.*", "*GET /me with no credentials: refused, but it is listed*"]
    )


@pytest.mark.slow
def test_tokens_that_are_not_looked_at_closely(secured):
    """An expired token that gets 200, an unverified signature, and any token that is there: each by its own test."""
    result = secured(
        """
        async def lenient(token: str = Depends(oauth2)):
            return await user_of(token, verify_exp=False)

        async def credulous(token: str = Depends(oauth2)):
            return await user_of(token, verify_signature=False)

        async def blind(token: str = Depends(oauth2)): ...

        for dependency in (lenient, credulous, blind):
            app.get("/" + dependency.__name__, dependencies=[Depends(dependency)])(lambda: None)
        """,
        MATRIX,
    )
    assert secured.failed(result) == (
        each("GET /lenient", {"expired"})
        | each("GET /credulous", {"expired", "tampered", "wrong-key", "alg-none"})
        | each("GET /blind", ALL - {"missing"})
    )
    result.stdout.fnmatch_lines(["*GET /lenient with expired credentials: answered 200, not 401 or 403*"])


@pytest.mark.slow
def test_a_write_before_the_refusal(secured):
    """A row that a refused request leaves is found, unless its table may be written; an UPDATE of nothing is no row."""
    more = """
    from sqlalchemy import update

    async def logged(request: Request):
        async with Session.begin() as session:
            session.add(User(name="attempt"))

    async def touching(request: Request):
        async with Session.begin() as session:
            await session.execute(update(User).where(User.name == "nobody").values(name="none"))

    app.get("/logged", dependencies=[Depends(logged), Depends(current_user)])(lambda: None)
    app.get("/touching", dependencies=[Depends(touching), Depends(current_user)])(lambda: None)
    """
    result = secured(more, MATRIX)
    assert secured.failed(result) == each("GET /logged", ALL)
    result.stdout.fnmatch_lines(
        ["*GET /logged with no credentials: refused, but public.users changed.", "*+ (*attempt)"]
    )
    allowed = "from pytest_crucible.auth import route_matrix\ntest_routes = route_matrix(may_write=['users'])"
    assert secured.failed(secured(more, allowed)) == set()


@pytest.mark.slow
def test_a_websocket_that_accepts_everybody(secured):
    """Accepted is let in, whatever follows; accepted and closed with 4401 is refused."""
    result = secured(
        """
        import asyncio

        async def check(websocket, token):
            try:
                await user_of(token or "")
            except HTTPException:
                await websocket.close(4401)
                return False
            return True

        @app.websocket("/open")
        async def open_(websocket: WebSocket):
            await websocket.accept()
            await websocket.receive_text()

        @app.websocket("/talks")
        async def talks(websocket: WebSocket, token: str | None = None):
            await websocket.accept()
            await websocket.send_text("welcome")
            await check(websocket, token)

        @app.websocket("/late")
        async def late(websocket: WebSocket, token: str | None = None):
            await websocket.accept()
            if await check(websocket, token):
                await websocket.send_text("welcome")
        """,
        MATRIX,
    )
    assert secured.failed(result) == each("WS /open", ALL) | each("WS /talks", ALL)
    result.stdout.fnmatch_lines(["*the websocket accepted, and waits for messages*", "*accepted, and sent a message*"])


@pytest.mark.slow
def test_answers_that_are_no_refusal(secured):
    """An exception is shown with its place; a validation error and a missing object are no refusal."""
    result = secured(
        """
        from typing import Annotated
        from pydantic import AfterValidator

        def number(token: str = Depends(oauth2)):
            return int(token)

        @app.get("/crashes")
        async def crashes(user=Depends(number)): ...

        @app.get("/hidden/{item_id}")
        async def hidden(item_id: int, request: Request, user=Depends(HTTPBearer(auto_error=False))):
            raise HTTPException(404)

        def never(day: str):
            raise ValueError("no day is right")

        Day = Annotated[str, AfterValidator(never)]
        bearer = HTTPBearer(auto_error=False)

        @app.get("/picky")
        async def picky(request: Request, day: Day, credentials=Depends(bearer)):
            await user_of(request.headers.get("Authorization", "").removeprefix("Bearer "))
        """,
        MATRIX,
    )
    assert secured.failed(result) == (
        each("GET /crashes", ALL - {"missing"}) | each("GET /hidden/{item_id}", ALL) | each("GET /picky", ALL)
    )
    result.stdout.fnmatch_lines(["*the application raised ValueError: invalid literal*", "*return int(token)*"])
