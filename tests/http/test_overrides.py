"""Overridden dependencies: a stack that unwinds."""

from __future__ import annotations

from contextlib import suppress
from pathlib import Path

import pytest
from fastapi import FastAPI
from starlette.applications import Starlette
from starlette.middleware.gzip import GZipMiddleware

from pytest_crucible import UsageError, overriding
from pytest_crucible.app.applications import Applications
from pytest_crucible.handle import Test as Handle
from pytest_crucible.settings import Settings


def word() -> str:
    return "real"


def number() -> int:
    return 1


def said(app: FastAPI) -> list[object]:
    return [app.dependency_overrides.get(dependency, dependency)() for dependency in (word, number)]


def test_nested_blocks_unwind():
    """Each block puts back what it found, also where it is left with an error or the overrides are cleared."""
    app = FastAPI()
    app.dependency_overrides[number] = lambda: 2
    with overriding(app, {word: lambda: "outer"}):
        with suppress(LookupError), overriding(app, {word: lambda: "inner", number: lambda: 3}):
            assert said(app) == ["inner", 3]
            app.dependency_overrides.clear()
            raise LookupError
        assert said(app) == ["outer", 2]
    assert said(app) == ["real", 2]


def test_mounted_and_wrapped_applications():
    """Applications that are mounted somewhere below are overridden alike."""
    inner, outer = FastAPI(), FastAPI()
    outer.mount("/inner", inner)
    with overriding(GZipMiddleware(Starlette(routes=[*outer.routes])), {word: lambda: "replaced"}):
        assert said(inner) == ["replaced", 1]
    with overriding(GZipMiddleware(outer), {word: lambda: "replaced"}):
        assert (said(outer), said(inner)) == (["replaced", 1], ["replaced", 1])
    assert (said(outer), said(inner)) == (["real", 1], ["real", 1])


def test_what_cannot_be_overridden():
    """An application without overrides, and what is no function, are errors that say what to write."""
    with (
        pytest.raises(UsageError, match=r"Starlette and has no .*\n.*\n.*with monkeypatch"),
        overriding(Starlette(), {}),
    ):
        pass
    told = r"word is .* 'x', which cannot.*\n.*\nWrite \{word: lambda: …\}"
    with pytest.raises(UsageError, match=told), overriding(FastAPI(), {word: "x"}):
        pass
    handle, told = (
        Handle("x", "reset", False, None, Applications(Settings(Path("/"))), None),
        r"none is known yet\.\n.*\n.*application=app",
    )
    with pytest.raises(UsageError, match=told), handle.overriding({}):
        pass


SERVICE = """
import pytest
from app import app
from fastapi import Depends, FastAPI
from fastapi.testclient import TestClient

def word():
    return "real"

def number():
    return 1

inner = FastAPI()

@app.get("/say")
@inner.get("/say")
async def say(word=Depends(word), number=Depends(number)):
    return [word, number]

app.mount("/inner", inner)

def said(path="/say"):
    return TestClient(app).get(path).json()
"""


def test_put_back_after_each_test(project):
    """What a test overrides is gone after it, also where it failed; what a module overrides stays."""
    done = project.run(
        SERVICE
        + """
app.dependency_overrides[number] = lambda: 2

@pytest.fixture
def careless():
    app.dependency_overrides[word] = lambda: "careless"

def test_module():
    assert said() == ["real", 2]

def test_failing(careless):
    inner.dependency_overrides[word] = lambda: "inner"
    assert (said(), said("/inner/say")) == (["careless", 2], ["inner", 1])
    assert 0

def test_after_failing():
    assert (said(), said("/inner/say")) == (["real", 2], ["real", 1])
    app.dependency_overrides.clear()

def test_after_clear():
    assert said() == ["real", 2]
    app.dependency_overrides = {word: lambda: "exchanged"}

def test_after_exchange(crucible):
    assert said() == ["real", 2]
    with crucible.overriding({word: lambda: "block"}):
        assert (said(), said("/inner/say")) == (["block", 2], ["block", 1])
    assert said() == ["real", 2]
"""
    )
    done.assert_outcomes(passed=4, failed=1)


def test_fixtures_of_wider_scopes(project):
    """What such a fixture overrides holds as long as it, whenever it comes up, and whether or not it tidies up."""
    done = project.run(
        SERVICE
        + """
@pytest.fixture(scope="class")
def untidy():
    app.dependency_overrides[word] = lambda: "of the class"

@pytest.fixture(scope="module")
def late():
    app.dependency_overrides[number] = lambda: 3
    yield
    del app.dependency_overrides[number]

class TestOne:
    def test_first(self, untidy):
        assert said() == ["of the class", 1]
        app.dependency_overrides[word] = lambda: "of the test"

    def test_second(self, untidy):
        assert said() == ["of the class", 1]

def test_after_the_class(request):
    assert said() == ["real", 1]
    request.getfixturevalue("late")
    assert said() == ["real", 3]

def test_late():
    assert said() == ["real", 3]
"""
    )
    done.assert_outcomes(passed=4)


def test_applications_of_factories(project):
    """An application that a fixture of a wider scope makes, or a client of it, is known too."""
    done = project.run(
        SERVICE
        + """
@pytest.fixture(scope="module")
def client():
    made = FastAPI()
    made.get("/say")(say)
    with TestClient(made) as client:
        yield client

@pytest.mark.parametrize("i", range(2))
def test_client(client, i):
    assert client.get("/say").json() == ["real", 1]
    client.app.dependency_overrides[word] = lambda: "mine"
    assert client.get("/say").json() == ["mine", 1]
"""
    )
    done.assert_outcomes(passed=2)


def test_the_application_of_the_asynchronous_client(project):
    """A factory's application is known from the moment that it is called."""
    done = project.run(
        """
        import app, pytest
        from fastapi import FastAPI, Depends

        def word():
            return "real"

        def make():
            made = FastAPI()
            @made.get("/say")
            async def say(word=Depends(word)):
                return word
            return made

        app.make = make

        @pytest.mark.parametrize("i", range(2))
        async def test_client(async_client, crucible, i):
            assert (await async_client.get("/say")).json() == "real"
            with crucible.overriding({word: lambda: "block"}):
                assert (await async_client.get("/say")).json() == "block"
            (made,) = crucible.applications.all()
            made.dependency_overrides[word] = lambda: "left"
        """,
        "--crucible-app=app:make",
    )
    done.assert_outcomes(passed=2)
