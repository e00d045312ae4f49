"""The inner project's redirect: what the plugin does, without the plugin."""

from __future__ import annotations

import gc
import os

import psycopg
import pytest

from pytest_crucible.redirect import Redirect, Target
from pytest_crucible.server import Address

_HOST, _PORT, _USER, _DATABASE = os.environ["INNER_ADDRESS"].rsplit(":", 3)
ADDRESS = Address(_HOST, int(_PORT), _USER, _DATABASE)
REDIRECT = Redirect(lambda origin: Target(ADDRESS, 1))
REDIRECT.install()


@pytest.fixture(autouse=True)
def _between():
    """Do after each test as the plugin does."""
    yield
    REDIRECT.after_test()


@pytest.fixture(scope="session")
def control():
    """Yield a connection past every engine."""
    with psycopg.connect(**ADDRESS.libpq(), autocommit=True) as connection:
        yield connection


@pytest.fixture
def redirect():
    """Return the redirect."""
    return REDIRECT


@pytest.fixture(scope="session")
def anyio_backend():
    """Where anyio runs the tests."""
    return "asyncio"


def pytest_unconfigure():
    """End the run as the plugin does."""
    REDIRECT.close()
    REDIRECT.remove()
    gc.collect()
