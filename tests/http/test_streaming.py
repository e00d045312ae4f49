"""Answers that arrive while the application runs, and what each side sees of the other's end."""

from __future__ import annotations

from contextvars import ContextVar

import anyio
import httpx
import httpx2
import pytest
from fastapi import BackgroundTasks, FastAPI, Request
from starlette.middleware.base import BaseHTTPMiddleware
from starlette.responses import StreamingResponse

from pytest_crucible import ApplicationError, AsgiTransport
from pytest_crucible.app import client

# httpx leaves the generators that it reads from to the garbage collector, and trio complains.
pytestmark = [pytest.mark.anyio, pytest.mark.filterwarnings("ignore:Async generator:ResourceWarning")]


class Service:
    """An application that tells what happened in it."""

    def __init__(self) -> None:
        self.seen: list[str] = []
        self.app = FastAPI()
        self.go_on = anyio.Event()
        self.app.get("/events")(self.events)
        self.app.get("/flood")(self.flood)
        self.app.get("/broken")(self.broken)
        self.app.get("/slow")(self.slow)
        self.app.post("/later")(self.later)
        self.app.get("/none")(self.none)

    async def events(self) -> StreamingResponse:
        async def tell():
            try:
                yield "data: one\n\n"
                await self.go_on.wait()
                yield "data: two\n\n"
                await anyio.sleep_forever()
            finally:
                self.seen.append("events ended")

        return StreamingResponse(tell(), media_type="text/event-stream")

    async def flood(self) -> StreamingResponse:
        async def tell():
            while True:
                self.seen.append("chunk")
                yield b"x" * 10_000

        return StreamingResponse(tell())

    async def broken(self) -> StreamingResponse:
        async def tell():
            yield b"one"
            raise LookupError("nobody is in")

        return StreamingResponse(tell(), headers={"content-length": "100"})

    async def slow(self) -> None:
        try:
            await anyio.sleep_forever()
        finally:
            self.seen.append("slow ended")

    async def later(self, tasks: BackgroundTasks, request: Request) -> int:
        async def work() -> None:
            await anyio.sleep(0.02)
            self.seen.append("worked")

        tasks.add_task(work)
        return len(await request.body())

    async def none(self) -> StreamingResponse:
        async def tell():
            await anyio.sleep_forever()
            yield b""

        return StreamingResponse(tell())


@pytest.fixture
async def service(anyio_backend):
    return Service()


@pytest.fixture
async def asking(service):
    async with client(service.app) as asking:
        yield asking


async def test_events_arrive_while_the_application_runs(service, asking):
    """What the application has sent is there, although it has not come to its end and never will."""
    async with asking.stream("GET", "/events") as response:
        assert response.headers["content-type"].startswith("text/event-stream")
        lines = response.aiter_lines()
        assert await anext(lines) == "data: one"
        service.go_on.set()
        assert [await anext(lines), await anext(lines)] == ["", "data: two"]
        assert service.seen == []
    assert service.seen == ["events ended"]


async def test_the_status_arrives_before_the_body(asking):
    """A stream that has nothing to say yet is open."""
    async with asking.stream("GET", "/none") as response:
        assert response.status_code == 200


async def test_a_fast_application_waits_for_its_client(service, asking):
    """What the client does not read is not piled up."""
    async with asking.stream("GET", "/flood") as response:
        await anyio.sleep(0.02)
        assert len(service.seen) <= 9
        async for _ in response.aiter_bytes():
            if len(service.seen) > 30:
                break


async def test_an_answer_waits_for_background_tasks(service, asking):
    """A request that is awaited returns when the whole call of the application has ended."""
    assert (await asking.post("/later", content=b"12345")).json() == 5
    assert service.seen == ["worked"]


async def test_a_short_answer_waits_for_background_tasks_also_as_a_stream(service, asking):
    """An answer that is complete at once is no stream."""
    async with asking.stream("POST", "/later", content=b"12345"):
        assert service.seen == ["worked"]


async def test_through_middleware(service, asking):
    """A middleware that reads the answer in a task of its own changes none of this."""

    async def pass_on(request, call_next):
        return await call_next(request)

    service.app.add_middleware(BaseHTTPMiddleware, dispatch=pass_on)
    await asking.post("/later", content=b"")
    assert service.seen == ["worked"]
    async with asking.stream("GET", "/events") as response:
        assert await anext(response.aiter_lines()) == "data: one"
    assert service.seen == ["worked", "events ended"]


async def test_a_request_that_is_given_up_ends_the_application(service, asking):
    """A test that gives up waiting leaves nothing behind."""
    with anyio.move_on_after(0.02):
        await asking.get("/slow")
    assert service.seen == ["slow ended"]


@pytest.mark.parametrize(("path", "left"), [("/slow", "slow ended"), ("/events", "events ended")])
async def test_read_timeout(service, asking, path, left):
    """A request may say how long it waits for a piece of the answer."""
    with pytest.raises(httpx.ReadTimeout, match=r"nothing for 0\.02 seconds"):
        await asking.get(path, timeout=0.02)
    assert service.seen == [left]


async def test_an_error_in_the_middle_reaches_the_test(asking):
    """What was sent before it arrives; then it is raised."""

    async def read(got: list[bytes]) -> None:
        async with asking.stream("GET", "/broken") as response:
            async for chunk in response.aiter_bytes():
                got.append(chunk)  # noqa: PERF401 # what came before the error is asked for

    got: list[bytes] = []
    with pytest.raises(LookupError, match="nobody is in"):
        await read(got)
    assert got == [b"one"]


async def test_an_error_in_the_middle_as_in_production(asking):
    """Where errors do not reach the test, the connection is lost."""
    with pytest.raises(httpx.RemoteProtocolError, match="without sending complete"):
        await asking.get("/broken", extensions={"raise_app_exceptions": False})


async def test_context_is_seen_and_stays(anyio_backend):
    """The application sees the test's context variables, and the test none of the application's."""
    var: ContextVar[str] = ContextVar("var", default="nothing")
    seen = []

    async def app(scope, receive, send):
        seen.append(var.get())
        var.set("the application's")
        await send({"type": "http.response.start", "status": 204})
        await send({"type": "http.response.body"})

    var.set("the test's")
    async with client(app) as asking:
        assert (await asking.get("/")).status_code == 204
    assert (seen, var.get()) == (["the test's"], "the test's")


async def test_an_application_without_an_answer(anyio_backend):
    """It is an error that says what is missing; where errors do not reach the test, a 500."""

    async def app(scope, receive, send):
        pass

    async with client(app) as asking:
        with pytest.raises(ApplicationError, match=r"without a response to GET /x\.\n.*\n.*http.response.start"):
            await asking.get("/x")
        refused = await asking.get("/x", extensions={"raise_app_exceptions": False})
    assert (refused.status_code, refused.text) == (500, "Internal Server Error")


async def test_an_application_with_half_an_answer(anyio_backend):
    """It is an error that says what is missing."""

    async def app(scope, receive, send):
        await send({"type": "http.response.start", "status": 200})

    async with client(app) as asking:
        with pytest.raises(ApplicationError, match="without the end of its response to GET /x"):
            await asking.get("/x")


async def test_an_application_that_does_not_look_is_cancelled(anyio_backend):
    """One that neither listens nor sends any more is given time, and then cancelled."""
    ended = []

    async def app(scope, receive, send):
        await send({"type": "http.response.start", "status": 200})
        try:
            await anyio.sleep_forever()
        finally:
            ended.append(scope["path"])

    async with client(app, patience=0.05) as asking, asking.stream("GET", "/x"):
        assert ended == []
    assert ended == ["/x"]


async def test_a_request_body_streams_too(anyio_backend):
    """The application reads the first piece of a request before the second exists."""
    order = []

    async def app(scope, receive, send):
        while (message := await receive())["more_body"]:
            order.append(message["body"])
        await send({"type": "http.response.start", "status": 204})
        await send({"type": "http.response.body"})
        order.append((await receive())["type"])

    async def body():
        for piece in (b"1", b"2"):
            order.append("make")
            yield piece

    async with client(app) as asking:
        await asking.post("/", content=body())
    assert order == ["make", b"1", "make", b"2", "http.disconnect"]


async def test_httpx2_s_client(service):
    """The successor of httpx asks through the same transport, and gets its own responses and errors."""
    async with httpx2.AsyncClient(transport=AsgiTransport(service.app), base_url="http://test") as asking:
        async with asking.stream("GET", "/events") as response:
            assert isinstance(response, httpx2.Response)
            assert await anext(response.aiter_lines()) == "data: one"
        assert (await asking.post("/later", content=b"1")).json() == 1
        with pytest.raises(httpx2.ReadTimeout):
            await asking.get("/slow", timeout=0.02)
    assert isinstance(client(service.app, client_class=httpx2.AsyncClient), httpx2.AsyncClient)
