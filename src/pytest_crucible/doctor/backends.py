"""Async fixtures that no plugin runs, or whose backend of anyio ends before they do."""

from __future__ import annotations

import ast
from collections.abc import Iterator

from ..project.suites import Fixture
from .case import Case
from .findings import Finding

BACKEND = "anyio_backend"
# anyio's own fixture of this name lives as long as a module.
WIDER = ("package", "session")


def _plain(case: Case) -> Iterator[Fixture]:
    """The async fixtures made by ``pytest.fixture``, which pytest-asyncio leaves alone in strict mode."""
    if case.uses("pytest-asyncio") and case.option("asyncio_mode", "strict") == "auto":
        return
    for fixture in case.fixtures:
        if isinstance(fixture.node, ast.AsyncFunctionDef) and fixture.decorator == "pytest.fixture":
            yield fixture


def _with_anyio(case: Case) -> bool:
    return bool(case.option("anyio_mode")) or any("anyio" in module.source for module in case.project.tests)


def _with_another(case: Case) -> bool:
    return any(word in module.source for module in case.project.tests for word in ("trio", "twisted", "tornado"))


def unhandled(case: Case) -> Iterator[Finding]:
    """In strict mode pytest-asyncio runs only its own fixtures."""
    if not case.uses("pytest-asyncio") or _with_anyio(case) or _with_another(case):
        return
    for fixture in _plain(case):
        yield Finding(
            f"The async fixture {fixture.name} is made by pytest.fixture, and asyncio_mode is strict.",
            "Nobody runs it: “requested an async fixture, with no plugin or hook that handled it”.",
            'Write asyncio_mode = "auto", or @pytest_asyncio.fixture.',
            case.where(fixture.module),
            fixture.node.lineno,
        )


def ends_early(case: Case) -> Iterator[Finding]:
    """A fixture that anyio runs needs an ``anyio_backend`` that lives as long."""
    widest = {fixture.scope for fixture in case.fixtures if fixture.name == BACKEND}
    if not _with_anyio(case) or "session" in widest:
        return
    for fixture in _plain(case):
        if fixture.scope in WIDER and fixture.scope not in widest:
            yield Finding(
                f"The {fixture.scope}-scoped async fixture {fixture.name} runs on anyio, whose {BACKEND} lives as long "
                "as a module.",
                f"pytest stops with “ScopeMismatch: You tried to access the module scoped fixture {BACKEND}”.",
                f'Define it in conftest.py: @pytest.fixture(scope="session") def {BACKEND}(): return "asyncio".',
                case.where(fixture.module),
                fixture.node.lineno,
            )
