"""Each driver is led away from a host that does not exist."""

from __future__ import annotations

import asyncio

import pytest
from sqlalchemy import create_engine, text
from sqlalchemy.ext.asyncio import create_async_engine

from pytest_crucible.redirect import Origin, Redirect

NOWHERE = "app:secret@nowhere.invalid:1/prod"


@pytest.mark.parametrize("driver", ["psycopg", "psycopg2"])
def test_sync(redirect: Redirect, driver: str, origins: list[Origin]) -> None:
    """A synchronous engine reaches the target."""
    engine = create_engine(f"postgresql+{driver}://{NOWHERE}")
    with engine.connect() as connection:
        assert connection.scalar(text("select current_user")) == "crucible_admin"
        (opened,) = redirect.connections()
        assert connection.scalar(text("select pg_backend_pid()")) == opened.pid
        assert opened.checked_out
    assert origins[0] == Origin(driver, "app", "prod")
    assert not redirect.connections()[0].checked_out
    engine.dispose()
    assert redirect.connections() == []


@pytest.mark.parametrize("driver", ["psycopg", "asyncpg"])
def test_async(redirect: Redirect, driver: str) -> None:
    """An asynchronous engine reaches the target, on one loop after the other."""
    engine = create_async_engine(f"postgresql+{driver}://{NOWHERE}")

    async def ask() -> int:
        async with engine.connect() as connection:
            pid = (await connection.execute(text("select pg_backend_pid()"))).scalar_one()
            (opened,) = redirect.connections()
            assert opened.place is not None and "test_thin.py" in opened.place
            assert opened.pid == pid
        return pid

    assert asyncio.run(ask()) != asyncio.run(ask())
    assert redirect.connections() == []
