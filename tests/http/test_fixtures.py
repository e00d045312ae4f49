"""The fixture `async_client`, and what a project may say about it."""

from __future__ import annotations

ROUTES = """
import asyncio, contextlib

import httpx
import pytest
from app import Session, User, app
from fastapi import BackgroundTasks, Form, Request, Response, UploadFile
from fastapi.responses import RedirectResponse, StreamingResponse
from sqlalchemy import func, select


@contextlib.asynccontextmanager
async def lifespan(app):
    yield {"started": "yes", "list": [1]}

app.router.lifespan_context = lifespan


@app.get("/state")
async def state(request: Request, set: str = ""):
    before = getattr(request.state, "word", None)
    request.state.word = set
    return {"started": request.state.started, "word": before}


@app.get("/count")
async def count():
    async def tell():
        while True:
            async with Session() as session:
                found = await session.scalar(select(func.count()).select_from(User))
            yield f"data: {found}\\n\\n"
            await asyncio.sleep(0.001)

    return StreamingResponse(tell(), media_type="text/event-stream")


@app.get("/login")
async def login(response: Response):
    response.set_cookie("session", "1")


@app.get("/cookies")
async def cookies(request: Request):
    return {**request.cookies, "url": str(request.url)}


@app.get("/elsewhere")
async def elsewhere():
    return RedirectResponse("/cookies")


@app.post("/upload")
async def upload(file: UploadFile, name: str = Form()):
    return [name, file.filename, (await file.read()).decode()]


@app.get("/broken")
async def broken():
    raise LookupError("nobody is in")


@app.post("/later")
async def later(tasks: BackgroundTasks):
    async def work():
        await asyncio.sleep(0.01)
        async with Session.begin() as session:
            session.add(User(name="of a task"))

    tasks.add_task(work)
"""


def test_async_client(project):
    """Lifespan state, streams over the database, cookies, redirects, forms, files, background tasks."""
    done = project.run(
        ROUTES
        + """
async def test_state(async_client):
    assert (await async_client.get("/state?set=a")).json() == {"started": "yes", "word": None}
    assert (await async_client.get("/state")).json() == {"started": "yes", "word": None}

@pytest.mark.parametrize("i", range(2))
async def test_stream(async_client, db_session, i):
    async with async_client.stream("GET", "/count") as response:
        lines = response.aiter_lines()
        assert await anext(lines) == "data: 0"
        await async_client.post("/users", params={"name": "ada"})
        async for line in lines:
            if line == "data: 1":
                break

@pytest.mark.parametrize("i", range(2))
async def test_cookies(async_client, i):
    assert "session" not in (await async_client.get("/cookies")).json()
    await async_client.get("/login")
    assert (await async_client.get("/cookies")).json()["session"] == "1"

async def test_redirect(async_client):
    assert (await async_client.get("/elsewhere")).status_code == 307
    assert (await async_client.get("/elsewhere", follow_redirects=True)).status_code == 200

async def test_upload(async_client):
    answer = await async_client.post("/upload", data={"name": "x"}, files={"file": ("a.txt", b"text")})
    assert answer.json() == ["x", "a.txt", "text"]

async def test_background(async_client, db_session):
    await async_client.post("/later")
    assert await db_session.scalar(select(User.name)) == "of a task"
""",
        "-Werror",
    )
    done.assert_outcomes(passed=8)


def test_options(project):
    """A project, a class and a test say how errors are answered and where the application is."""
    done = project.run(
        ROUTES
        + """
async def test_raised(async_client):
    with pytest.raises(LookupError):
        await async_client.get("/broken")
    assert (await async_client.get("/cookies")).json()["url"] == "http://test/cookies"

@pytest.mark.parametrize("client_options", [{"raise_app_exceptions": False}])
async def test_answered(async_client):
    assert (await async_client.get("/broken")).status_code == 500

async def test_one_request(async_client):
    assert (await async_client.get("/broken", extensions={"raise_app_exceptions": False})).status_code == 500

class TestElsewhere:
    @pytest.fixture
    def client_options(self):
        return {"base_url": "https://api.example.org/", "cookies": {"a": "b"}, "follow_redirects": True}

    async def test_url(self, async_client):
        assert (await async_client.get("/elsewhere")).json() == {"a": "b", "url": "https://api.example.org/cookies"}
""",
        "-Werror",
    )
    done.assert_outcomes(passed=4)


def test_what_the_loop_ends_with(project):
    """A stream that its test does not close is reported with its request's name, and the next test runs undisturbed."""
    done = project.run(
        ROUTES
        + """
async def test_left(async_client):
    response = await async_client.send(async_client.build_request("GET", "/count"), stream=True)
    assert response.status_code == 200

async def test_next(async_client, db_session):
    assert await db_session.scalar(select(func.count()).select_from(User)) == 0
"""
    )
    outcomes = done.parseoutcomes()
    # The stream counts rows again and again: the test may end while a transaction of it is open, which is one more.
    assert outcomes.pop("warnings") in {1, 2}
    assert outcomes == {"passed": 2}
    done.stdout.fnmatch_lines(["*The test left a task behind: GET /count, coroutine *"])


def test_without_httpx2(project):
    """Where only httpx is installed, the asynchronous client works without a warning."""
    done = project.run(
        """
        import sys
        sys.modules["httpx2"] = None  # as if it were not installed

        async def test_client(async_client):
            assert (await async_client.post("/users", params={"name": "ada"})).status_code == 200
        """,
        "-Werror",
    )
    done.assert_outcomes(passed=1)
