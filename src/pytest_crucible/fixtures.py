"""The fixtures: each a few lines around an object that works without pytest."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from . import app, sessions
from .run import Run, Test

RUN: pytest.StashKey[Run] = pytest.StashKey()
TEST: pytest.StashKey[Test] = pytest.StashKey()
# The modules of `lifespans` that this run has a use for: each knows the fixture for a test, by its name_for().
LIFESPANS: pytest.StashKey[list[Any]] = pytest.StashKey()


@pytest.fixture(scope="session")
def crucible_run(pytestconfig: pytest.Config) -> Run:
    """This process's run, for Crucible's own fixtures."""
    return pytestconfig.stash[RUN]


@pytest.fixture(autouse=True)
def crucible(request: pytest.FixtureRequest, crucible_run: Run) -> Iterator[Test]:
    """This test's handle.

    The first function-scoped fixture to come up and so the last to go: its end is the reset.
    """
    with crucible_run.around(request.node.stash[TEST]) as test:
        if "async_client" in request.fixturenames:
            running_application(request)  # now: what its lifespan writes is no row of the test's
        yield test


@pytest.fixture(scope="session")
def async_engine(crucible_run: Run) -> Iterator[Any]:
    """An ``AsyncEngine`` on the worker database, the same for the whole session."""
    engine = sessions.async_engine()
    yield engine
    # Its connections belong to loops, and are closed on them.
    engine.sync_engine.dispose(close=False)


@pytest.fixture
def db_session(async_engine: Any, crucible_run: Run, crucible: Test) -> Iterator[Any]:
    """An ``AsyncSession`` on the worker database; connects at its first statement."""
    with crucible_run.async_session(async_engine, crucible) as session:
        yield session


@pytest.fixture
def sync_session(crucible_run: Run, crucible: Test) -> Iterator[Any]:
    """A ``Session`` on the worker database; connects at its first statement."""
    with crucible_run.sync_session(crucible) as session:
        yield session


@pytest.fixture(scope="session")
def database_url(crucible_run: Run) -> str:
    """The worker database's URL, ``postgresql://…``, for code outside SQLAlchemy."""
    return crucible_run.worker.address().url()


@pytest.fixture
def async_client(request: pytest.FixtureRequest) -> Any:
    """An ``httpx.AsyncClient`` that asks the application, whose lifespan runs on the test's event loop."""
    return app.client(running_application(request))


def running_application(request: pytest.FixtureRequest) -> Any:
    """The application, its lifespan started once for each scope of event loops."""
    names = (module.name_for(request.node) for module in request.config.stash[LIFESPANS])
    name = next((name for name in names if name), None)
    if name is None:  # a synchronous test: there is no loop that a lifespan could run on
        return app.application(request.config.stash[RUN].settings)
    return request.getfixturevalue(name)
