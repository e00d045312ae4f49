"""The layer of tests that ask the application over HTTP."""

from __future__ import annotations

import re

from . import routes
from .subject import Subject, imported


def test_module(subject: Subject) -> str | None:
    """A test that asks for one page."""
    app = subject.choices.app
    if app is None or routes.refusing(subject.finds):
        return None
    route = routes.simplest(subject.finds, app)
    is_sync = subject.is_sync
    client = subject.test_client.name if is_sync and subject.test_client else "client" if is_sync else "async_client"
    address = route.path if route.is_expression else f'"{route.path}"'
    imports = ["import pytest", "" if is_sync else "from httpx import AsyncClient"]
    imports.append(imported(app.place.path) if route.is_expression else _client_import(subject))
    kind = ": TestClient" if is_sync else ": AsyncClient"
    test = f'''\
{subject.define} test_{_name(route)}({client}{kind}):
    """{_sentence(route)}"""
    response = {subject.wait}{client}.get({address})
    assert response.status_code == {route.status}'''
    return subject.module(
        "The application over HTTP, started as in production, with sessions of its own.",
        [*imports, _client_import(subject)],
        subject.marks("pytest.mark.integration", is_async=not is_sync),
        test,
    )


def client(subject: Subject) -> str:
    """A module of fixtures: Starlette's client, for tests without async."""
    app = subject.choices.app
    assert app is not None  # noqa: S101 # asked before
    made = f"{app.place.name}()" if app.is_factory else app.place.name
    fixture = f'''\
@pytest.fixture
def client() -> Iterator[TestClient]:
    """A client of the application, whose lifespan runs."""
    with TestClient({made}) as client:
        yield client'''
    imports = [
        "import pytest",
        "from collections.abc import Iterator",
        _client_import(subject),
        imported(app.place.path),
    ]
    return subject.module("Clients of the application.", imports, fixture)


def _client_import(subject: Subject) -> str:
    if not subject.is_sync or subject.choices.app is None:
        return ""
    return f"from {subject.choices.app.framework}.testclient import TestClient"


def _name(route: routes.Route) -> str:
    if route.status == 404:
        return "an_unknown_page_is_not_found"
    if route.is_expression or route.path.endswith("openapi.json"):
        return "the_api_describes_itself"
    words = re.sub(r"\W+", "_", route.path).strip("_").lower()
    return f"get_{words or 'the_first_page'}"


def _sentence(route: routes.Route) -> str:
    if route.status == 404:
        return "A path that no route has is not found."
    if route.is_expression:
        return "The OpenAPI document can be made from all routes."
    return f"GET {route.path} answers."
