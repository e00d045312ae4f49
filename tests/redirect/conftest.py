"""Two servers: the one to be led to, and the one that the application is configured for and must never see."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator
from pathlib import Path

import psycopg
import pytest
from sqlalchemy import Engine, create_engine, text
from sqlalchemy.ext.asyncio import create_async_engine

from pytest_crucible.redirect import Origin, Redirect, Target
from pytest_crucible.server import Address, lease

collect_ignore = ["inner"]  # a project of its own, run by test_loops

SYNC = ["psycopg", "psycopg2"]
ASYNC = ["asyncpg", "psycopg_async"]
NOWHERE = "app:secret@nowhere.invalid:1/prod"
WHICH_SERVER = "select system_identifier from pg_control_system()"

Ask = Callable[..., object]


def _leased(tmp_path_factory: pytest.TempPathFactory, server_cache: Path, name: str) -> Iterator[Address]:
    root = tmp_path_factory.mktemp(name)
    share = lease("embedded", root=root, cache=server_cache)
    yield share.admin
    share.release()


@pytest.fixture(scope="session")
def address(tmp_path_factory: pytest.TempPathFactory, server_cache: Path) -> Iterator[Address]:
    """Yield the server that everything is led to."""
    yield from _leased(tmp_path_factory, server_cache, "server")


@pytest.fixture(scope="session")
def other(tmp_path_factory: pytest.TempPathFactory, server_cache: Path) -> Iterator[Address]:
    """Yield the server that the application is configured for: role app, database prod."""
    for address in _leased(tmp_path_factory, server_cache, "other"):
        with psycopg.connect(**address.libpq(), autocommit=True) as connection:
            connection.execute("drop database if exists prod")
            connection.execute("drop role if exists app")
            connection.execute("create role app login password 'secret'")
            connection.execute("create database prod owner app")
        yield address.to("prod", user="app")


@pytest.fixture(scope="session")
def control(address: Address) -> Iterator[psycopg.Connection]:
    """Yield the control connection, past every engine."""
    with psycopg.connect(**address.libpq(), autocommit=True) as connection:
        yield connection


@pytest.fixture(scope="session")
def identifier(control: psycopg.Connection) -> object:
    """Names the server that everything is led to."""
    return control.execute(WHICH_SERVER).fetchone()[0]


@pytest.fixture
def target(address: Address) -> list[Target]:
    """Where everything leads; a test replaces the item."""
    return [Target(address, 1)]


@pytest.fixture
def origins() -> list[Origin]:
    """Return what was asked for, in order."""
    return []


@pytest.fixture
def redirect(target: list[Target], origins: list[Origin]) -> Iterator[Redirect]:
    """Yield an installed redirect."""

    def lead(origin: Origin) -> Target:
        origins.append(origin)
        return target[0]

    redirect = Redirect(lead)
    redirect.install()
    yield redirect
    redirect.close()
    redirect.remove()


@pytest.fixture
def engine(redirect: Redirect) -> Iterator[Engine]:
    """Yield a synchronous engine whose host does not exist."""
    engine = create_engine(f"postgresql+psycopg://{NOWHERE}")
    yield engine
    engine.dispose()


@pytest.fixture
def ask() -> Ask:
    """Run one statement on an engine of *driver*, synchronous or not, and give its only value."""

    def ask(driver: str, url: str, sql: str = WHICH_SERVER, **options: object) -> object:
        url = f"postgresql+{driver}://{url}"
        if driver in SYNC:
            engine = create_engine(url, **options)
            try:
                with engine.connect() as connection:
                    return connection.scalar(text(sql))
            finally:
                engine.dispose()

        async def run() -> object:
            engine = create_async_engine(url, **options)
            async with engine.connect() as connection:
                return await connection.scalar(text(sql))

        return asyncio.run(run())

    return ask
