"""The client that asks an application over ASGI."""

from __future__ import annotations

import pytest
from fastapi import FastAPI, Request

from pytest_crucible.app import client

app = FastAPI()


@app.get("/seen")
async def seen(request: Request):
    return {"headers": dict(request.headers), "cookies": request.cookies}


@app.get("/broken")
async def broken():
    raise LookupError("nobody is in")


async def test_headers_and_cookies(anyio_backend):
    """A client sends the headers and cookies that it was made with."""
    async with client(app, headers={"X-Who": "ada"}, cookies={"session": "1"}) as asking:
        got = (await asking.get("/seen")).json()
    assert (got["headers"]["x-who"], got["cookies"]) == ("ada", {"session": "1"})


async def test_exceptions_reach_the_test(anyio_backend):
    """An exception that the application does not handle is raised by the request."""
    async with client(app) as asking:
        with pytest.raises(LookupError, match="nobody is in"):
            await asking.get("/broken")


async def test_exceptions_are_answered(anyio_backend):
    """With raise_app_exceptions=False, it is answered with 500, as in production."""
    async with client(app, raise_app_exceptions=False) as asking:
        assert (await asking.get("/broken")).status_code == 500
