"""Undocumented names of other libraries that Crucible uses: each with its reason, and still there."""

from __future__ import annotations

import ast
import inspect
import json
import sys
import warnings
from collections.abc import Callable
from pathlib import Path

import psycopg
import pytest
from sqlalchemy import MetaData, create_engine
from sqlalchemy.util import greenlet_spawn
from syntax import nodes

SOURCE = Path(__file__).parents[2] / "src"


def anyio_runner() -> object:
    from anyio._backends._asyncio import TestRunner

    return TestRunner._run_tests_and_fixtures


def portal_of_client() -> object:
    from starlette.testclient import TestClient

    return TestClient.portal is None


def polyfactory_context() -> object:
    from polyfactory.factories.base import BaseFactory

    return "_build_context" in inspect.getsource(BaseFactory.process_kwargs)


def fastapi_contexts() -> object:
    """Only where routers are included lazily; older versions have a flat list of routes."""
    import fastapi
    from fastapi.routing import APIRouter

    version = tuple(map(int, fastapi.__version__.split(".")[:2]))
    return version < (0, 160) or hasattr(fastapi.routing, "iter_route_contexts") or APIRouter().routes == []


def hypothesis_settings() -> object:
    from hypothesis import given, settings, strategies

    @settings(max_examples=7)
    @given(strategies.none())
    def test(_: None) -> None: ...

    return test._hypothesis_internal_use_settings.max_examples == 7


def hypothesis_printer() -> object:
    from hypothesis import core

    return callable(core.RepresentationPrinter)


def hypothesis_times() -> object:
    from hypothesis import core
    from hypothesis.control import current_build_context

    return callable(current_build_context) and "draw_times.values()" in inspect.getsource(core)


NAMES: dict[str, tuple[str, Callable[[], object]]] = {
    "_warn_unawaited_coroutine": (
        "CPython calls it with a coroutine that was never awaited; there is no public hook",
        lambda: callable(warnings._warn_unawaited_coroutine),
    ),
    "_getframe": (
        "it costs less than inspect.stack(): the caller's line is looked for at each checkout",
        lambda: sys._getframe(0),
    ),
    "_initializing": (
        "importlib sets it on the spec of a module that is being imported; there is no public way to ask",
        lambda: json.__spec__ is not None and json.__spec__._initializing is False,
    ),
    "_max_overflow": (
        "SQLAlchemy's QueuePool has no public name for it",
        lambda: create_engine("postgresql+psycopg://").pool._max_overflow == 10,
    ),
    "_run_tests_and_fixtures": (
        "anyio keeps one task per event loop, which no test has left behind",
        lambda: anyio_runner().__qualname__ == "TestRunner._run_tests_and_fixtures",
    ),
    "_build_context": ("Polyfactory passes it to process_kwargs(), which Crucible wraps", polyfactory_context),
    "portal": ("Starlette's TestClient tells by it on which event loop a websocket runs", portal_of_client),
    "_hypothesis_internal_use_settings": (
        "Hypothesis's health checks read it from the test, whose settings it gives no way to change",
        hypothesis_settings,
    ),
    "draw_times": ("Hypothesis takes these times from the one that it compares with the deadline", hypothesis_times),
    "RepresentationPrinter": (
        "Schemathesis replaces it in Hypothesis by one that prints nothing; there is no way to ask it not to",
        hypothesis_printer,
    ),
    "wait": (
        "psycopg waits in it for each answer; it cancels the statement at Ctrl-C, and at no other exception",
        lambda: "self._conn.wait(" in inspect.getsource(psycopg.Cursor.execute),
    ),
    "cached_result": (
        "pytest finishes only fixtures that have one, and refuses one whose set-up did not begin from then on",
        lambda: "self.cached_result is None" in inspect.getsource(pytest.FixtureDef.finish),
    ),
    "iter_route_contexts": ("FastAPI tells by it what applies to the routes of included routers", fastapi_contexts),
    "greenlet_spawn": (
        "SQLAlchemy runs synchronous code over asynchronous drivers by it; AsyncSession.run_sync() needs a session",
        lambda: callable(greenlet_spawn),
    ),
    "dispatch": (
        "SQLAlchemy's event.contains() needs the listener; Crucible looks for all that emit DDL",
        lambda: list(MetaData().dispatch.before_create) == [],
    ),
}


@pytest.mark.parametrize("name", NAMES)
def test_it_is_still_there(name: str):
    """Each name exists, and the package still uses it; what is needed no more leaves this list."""
    reason, exists = NAMES[name]
    assert exists(), reason
    assert any(name in path.read_text("utf-8") for path in SOURCE.rglob("*.py"))


def test_the_text_of_a_scope_mismatch(pytester: pytest.Pytester):
    """pytest has no class for the error of a fixture that asks for one of a smaller scope: its text tells."""
    pytester.makepyfile(
        """
        import pytest

        @pytest.fixture
        def small(): ...

        @pytest.fixture(scope="session")
        def wide(small): ...

        def test_it(wide): ...
        """
    )
    result = pytester.runpytest_inprocess("-p", "no:crucible", "-p", "no:asyncio")
    result.stdout.fnmatch_lines(["*ScopeMismatch*"])


def test_no_other_private_name_is_used():
    """A private name of another library is used only where it is on the list."""
    own = {"_replace", "_asdict", "_exit"}  # documented: of named tuples, of os
    used = {
        (path.name, node.attr)
        for path in SOURCE.rglob("*.py")
        for node in nodes(path)
        if isinstance(node, ast.Attribute) and node.attr.startswith("_") and not node.attr.startswith("__")
        if not (isinstance(node.value, ast.Name) and node.value.id in ("self", "cls"))
    }
    defined = {
        name
        for path in SOURCE.rglob("*.py")
        for node in nodes(path)
        for name in [getattr(node, "name", None) or getattr(node, "attr", None)]
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef)
        or (isinstance(node, ast.Attribute) and isinstance(node.ctx, ast.Store))
    }
    assert {(file, name) for file, name in used if name not in defined | own | set(NAMES)} == set()
