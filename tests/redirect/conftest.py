"""A server to be led to, and an application whose URL leads nowhere."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest

from pytest_crucible.redirect import Origin, Redirect, Target
from pytest_crucible.server import Address, lease

collect_ignore = ["inner"]  # a project of its own, run by test_loops


@pytest.fixture(scope="session")
def address(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Address]:
    """A server of our own."""
    root = tmp_path_factory.mktemp("server")
    share = lease("embedded", root=root, cache=Path(root, "cache"))
    yield share.admin
    share.release()


@pytest.fixture(scope="session")
def control(address: Address) -> Iterator[psycopg.Connection]:
    """The control connection, past every engine."""
    with psycopg.connect(**address.libpq(), autocommit=True) as connection:
        yield connection


@pytest.fixture
def target(address: Address) -> list[Target]:
    """Where everything leads; a test replaces the item."""
    return [Target(address, 1)]


@pytest.fixture
def origins() -> list[Origin]:
    """What was asked for, in order."""
    return []


@pytest.fixture
def redirect(target: list[Target], origins: list[Origin]) -> Iterator[Redirect]:
    """An installed redirect."""

    def lead(origin: Origin) -> Target:
        origins.append(origin)
        return target[0]

    redirect = Redirect(lead)
    redirect.install()
    yield redirect
    redirect.close()
    redirect.remove()
