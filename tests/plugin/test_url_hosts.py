"""An application whose settings class wants a host in its URLs, which `crucible_url_env` names."""

from __future__ import annotations

import inner_project
import pytest

OPTION = """
crucible_url_env = [
    "SHOP_URL=postgresql+asyncpg@localhost", "JOBS_URL=postgresql+psycopg@localhost", "PG_URL=postgresql@localhost",
]
"""
SETTINGS = """
import os
from pydantic import BaseModel, PostgresDsn

class Settings(BaseModel):
    SHOP_URL: PostgresDsn
    JOBS_URL: PostgresDsn
    PG_URL: PostgresDsn

settings = Settings(**os.environ)
"""
SESSIONS = """
import psycopg, pytest
from app import Session, User
from settings import settings
from sqlalchemy import create_engine, select, text
from sqlalchemy.orm import Session as SyncSession

jobs = create_engine(str(settings.JOBS_URL))

@pytest.mark.parametrize("n", range(2))
async def test_it(n, async_client):
    assert [one.hosts()[0]["host"] for one in vars(settings).values()] == ["localhost"] * 3
    await async_client.post("/users", params={"name": "ada"})
    with SyncSession(jobs) as session:
        session.add(User(name="bob"))
        session.commit()
    with psycopg.connect(str(settings.PG_URL)) as connection:
        connection.execute("INSERT INTO users (name) VALUES ('eve')")
    async with Session() as session:
        assert set(await session.scalars(select(User.name))) == {"ada", "bob", "eve"}
"""
OUTSIDE = """
import os, pytest, subprocess, sys
from app import User
from sqlalchemy import select

PROGRAM = '''
import asyncio, os
from sqlalchemy import create_engine, text
from sqlalchemy.ext.asyncio import create_async_engine
from settings import settings

async def main():
    async with create_async_engine(str(settings.SHOP_URL)).begin() as connection:
        await connection.execute(text("INSERT INTO users (name) VALUES ('ada')"))

asyncio.run(main())
with create_engine(str(settings.JOBS_URL)).begin() as connection:
    connection.execute(text("INSERT INTO users (name) VALUES ('bob')"))
'''

@pytest.mark.parametrize("n", range(2))
async def test_it(n, db_session):
    outside = {name: value for name, value in os.environ.items() if name != "PYTEST_CRUCIBLE_PARENT"}
    subprocess.run([sys.executable, "-c", PROGRAM], env=outside, check=True)
    assert set(await db_session.scalars(select(User.name))) == {"ada", "bob"}
"""


@pytest.fixture
def with_settings(suite):
    """Return a suite whose application reads its URLs from fields of type PostgresDsn."""
    suite.configure(OPTION)
    url = '"postgresql+asyncpg://app:secret@db.production.invalid/app"'
    application = inner_project.APP.replace(url, "str(settings.SHOP_URL)")
    suite.write(settings=SETTINGS, app=f"from settings import settings\n{application}")
    return suite


@pytest.mark.slow
def test_sessions_of_each_driver(with_settings):
    """Sessions on asyncpg and psycopg, and libpq, reach the worker database by URLs that pydantic accepts."""
    with_settings.run(test_it=SESSIONS).assert_outcomes(passed=2)


@pytest.mark.slow
def test_a_program_outside(with_settings):
    """A program that Crucible does not redirect connects through SQLAlchemy by the variables alone."""
    with_settings.run(test_it=OUTSIDE).assert_outcomes(passed=2)
