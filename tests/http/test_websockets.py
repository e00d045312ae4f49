"""Websockets from the asynchronous client, through httpx-ws."""

from __future__ import annotations

import anyio
import httpx2
import pytest
from fastapi import Depends, FastAPI, HTTPException, WebSocket, WebSocketDisconnect, WebSocketException
from httpx_ws import WebSocketDisconnect as Disconnected
from httpx_ws import WebSocketUpgradeError, aconnect_ws

from pytest_crucible import ApplicationError, AsgiTransport
from pytest_crucible.app import client

pytestmark = pytest.mark.anyio

seen: list[object] = []
app = FastAPI()


@app.websocket("/echo")
async def echo(websocket: WebSocket):
    await websocket.accept(subprotocol=next(iter(websocket.scope["subprotocols"]), None), headers=[(b"x-by", b"echo")])
    try:
        while True:
            message = await websocket.receive()
            if message["type"] == "websocket.disconnect":
                break
            if message.get("text") is not None:
                await websocket.send_text(message["text"])
            else:
                await websocket.send_bytes(message["bytes"])
    finally:
        seen.append((message.get("code"), message.get("reason")))


@app.websocket("/careless")
async def careless(websocket: WebSocket):
    await websocket.accept()
    while True:
        await websocket.send_text(await websocket.receive_text())


@app.websocket("/group")
async def group(websocket: WebSocket):
    await websocket.accept()
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(websocket.receive_text)


@app.websocket("/push")
async def push(websocket: WebSocket):
    await websocket.accept()
    try:
        while True:
            await websocket.send_bytes(b"x" * 10_000)
            seen.append("pushed")
    except WebSocketDisconnect as error:
        seen.append(error.code)


@app.websocket("/refuse")
async def refuse(websocket: WebSocket):
    await websocket.close(1008, "who are you?")


@app.websocket("/deny")
async def deny(websocket: WebSocket):
    raise HTTPException(401, "who are you?")


def guard():
    raise WebSocketException(1008)


@app.websocket("/guarded", dependencies=[Depends(guard)])
async def guarded(websocket: WebSocket):
    await websocket.accept()


@app.websocket("/bye")
async def bye(websocket: WebSocket):
    await websocket.accept()
    await websocket.send_json({"last": "words"})
    await websocket.close(4000, "enough")
    seen.append((await websocket.receive())["code"])


@app.websocket("/broken")
async def broken(websocket: WebSocket):
    await websocket.accept()
    raise LookupError("nobody is in")


@app.websocket("/silent")
async def silent(websocket: WebSocket):
    pass


@pytest.fixture
async def asking(anyio_backend):
    seen.clear()
    async with client(app) as asking:
        yield asking


async def test_text_bytes_and_headers(asking):
    """What each side sends arrives at the other, and the application sees why the client has left."""
    async with aconnect_ws("/echo", asking) as ws:
        assert ws.response.headers["x-by"] == "echo"
        await ws.send_text("grüße")
        assert await ws.receive_text() == "grüße"
        await ws.send_bytes(b"\x00" * 200_000)
        assert await ws.receive_bytes() == b"\x00" * 200_000
        await ws.close(4001, "done")
    assert seen == [(4001, "done")]


async def test_subprotocol(asking):
    """The application may choose one of those that the client offers."""
    async with aconnect_ws("/echo", asking, subprotocols=["chat", "other"]) as ws:
        assert ws.subprotocol == "chat"


async def test_pings_are_answered(asking):
    """A client that asks whether the other side is there hears that it is."""
    async with aconnect_ws("/echo", asking, keepalive_ping_interval_seconds=0.01) as ws:
        pong = await ws.ping()
        with anyio.fail_after(5):
            await pong.wait()
        await anyio.sleep(0.05)
        await ws.send_text("still")
        assert await ws.receive_text() == "still"


async def test_several_at_once(asking):
    """Each websocket of a client is one of its own; requests go on beside them."""
    async with aconnect_ws("/echo", asking) as one, aconnect_ws("ws://test/echo", asking) as two:
        await one.send_text("1")
        await two.send_text("2")
        assert (await asking.get("/openapi.json")).status_code == 200
        assert (await two.receive_text(), await one.receive_text()) == ("2", "1")
    assert seen == [(1000, ""), (1000, "")]


@pytest.mark.parametrize("path", ["/careless", "/group"])
async def test_a_client_may_leave_an_application_that_does_not_expect_it(asking, path):
    """That the client left is no error of the application's, also within a task group."""
    async with aconnect_ws(path, asking):
        pass


async def test_a_fast_application_waits_and_hears_that_its_client_has_left(asking):
    """What the client does not read is not piled up; sending after it has left is an error, as under uvicorn."""
    async with aconnect_ws("/push", asking) as ws:
        await ws.receive_bytes()
        await anyio.sleep(0.02)
        assert len(seen) <= 12
    assert seen[-1] == 1006


@pytest.mark.parametrize(("path", "status"), [("/refuse", 403), ("/guarded", 403), ("/deny", 401)])
async def test_refusals(asking, path, status):
    """A websocket that is not accepted is an answer of HTTP's, as a browser gets it."""
    with pytest.raises(WebSocketUpgradeError) as refused:
        async with aconnect_ws(path, asking):
            pytest.fail("it was accepted")
    assert refused.value.response.status_code == status


async def test_the_code_of_a_refusal(asking):
    """What no client ever sees in production can be looked up in a test."""
    with pytest.raises(WebSocketUpgradeError) as refused:
        async with aconnect_ws("/refuse", asking):
            pytest.fail("it was accepted")
    assert refused.value.response.extensions["websocket_close"] == (1008, "who are you?")


async def test_no_route(asking):
    """A path that there is no websocket at is refused."""
    with pytest.raises(WebSocketUpgradeError) as refused:
        async with aconnect_ws("/nowhere", asking):
            pytest.fail("it was accepted")
    assert refused.value.response.status_code == 403


async def test_the_application_closes(asking):
    """The client reads what came before, then the code and the reason; the application hears that it is over."""
    async with aconnect_ws("/bye", asking) as ws:
        assert await ws.receive_json() == {"last": "words"}
        with pytest.raises(Disconnected) as closed:
            await ws.receive_text()
    assert (closed.value.code, closed.value.reason, seen) == (4000, "enough", [4000])


async def test_an_error_reaches_the_test(asking):
    """An exception in the application is raised at the end of the websocket, which it has closed."""
    with pytest.raises(LookupError, match="nobody is in"):
        async with aconnect_ws("/broken", asking) as ws:
            await ws.receive_text()


async def test_an_error_as_in_production(anyio_backend):
    """Where errors do not reach the test, the websocket is closed with 1011."""
    async with client(app, raise_app_exceptions=False) as asking, aconnect_ws("/broken", asking) as ws:
        with pytest.raises(Disconnected) as closed:
            await ws.receive_text()
    assert closed.value.code == 1011


async def test_an_application_that_does_not_answer(asking):
    """Neither accepted nor refused is an error that says so; where errors do not reach the test, a 500."""
    with pytest.raises(ApplicationError, match=r"answer to WEBSOCKET /silent\.\n.*\nAccept it, or"):
        async with aconnect_ws("/silent", asking):
            pytest.fail("it was accepted")
    with pytest.raises(WebSocketUpgradeError) as refused:
        async with aconnect_ws("/silent", asking, extensions={"raise_app_exceptions": False}):
            pytest.fail("it was accepted")
    assert refused.value.response.status_code == 500


async def test_httpx2_s_own_websockets(anyio_backend):
    """The websockets of httpx2's client go through the same transport."""
    asking = httpx2.AsyncClient(transport=AsgiTransport(app), base_url="http://test")
    async with asking, asking.websocket("/echo") as ws:
        await ws.send_json({"a": 1})
        assert await ws.receive_json() == {"a": 1}
