"""The project whose suite `runs.py` runs: forty tables, a FastAPI application, and a thousand small tests."""

from __future__ import annotations

from pathlib import Path

CONFIGURATION = """
[tool.pytest]
pythonpath = ["."]
asyncio_mode = "auto"
asyncio_default_fixture_loop_scope = "session"
asyncio_default_test_loop_scope = "session"
filterwarnings = ["ignore"]
"""
CRUCIBLE = 'crucible_app = "app:app"\ncrucible_metadata = ["app:metadata"]\n'
APP = '''
import os

from fastapi import Depends, FastAPI
from schemas import forty as metadata
from sqlalchemy import insert, select
from sqlalchemy.ext.asyncio import AsyncSession, async_sessionmaker, create_async_engine
from sqlalchemy.pool import NullPool

pool = {"poolclass": NullPool} if "recipe" in os.environ.get("RUNS_WAY", "") else {}
engine = create_async_engine(os.environ["DATABASE_URL"], **pool)
Session = async_sessionmaker(engine, expire_on_commit=False)


async def get_db():
    async with Session() as session:
        yield session


async def work(session: AsyncSession, dirty: int, name: str) -> int | None:
    """Insert a row into each of some tables, commit, and read one back."""
    for number in range(dirty):
        await session.execute(insert(metadata.tables[f"t{number}"]).values(name=name))
    if dirty:
        await session.commit()
    table = metadata.tables["t0"]
    return await session.scalar(select(table.c.id).where(table.c.name == name))


app = FastAPI()


@app.post("/rows")
async def rows(dirty: int, name: str, session: AsyncSession = Depends(get_db)) -> bool:
    return bool(await work(session, dirty, name))
'''
TESTS = """
import os
import uuid

import pytest
from app import work

numbers = pytest.mark.parametrize("number", range(int(os.environ["RUNS_TESTS"]) // 6))
dirties = pytest.mark.parametrize("dirty", [0, 1, 3])


@numbers
@dirties
async def test_direct(db_session, dirty, number):
    assert bool(await work(db_session, dirty, uuid.uuid4().hex)) is bool(dirty)


@numbers
@dirties
async def test_client(async_client, dirty, number):
    answer = await async_client.post("/rows", params={"dirty": dirty, "name": uuid.uuid4().hex})
    assert answer.json() is bool(dirty)
"""
CLIENT = """
import httpx
import pytest_asyncio
from app import Session, app, engine, get_db
from sqlalchemy.ext.asyncio import AsyncSession


@pytest_asyncio.fixture
async def async_client(client_session):
    async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://test") as client:
        yield client

"""
BARE = (
    CLIENT
    + """
@pytest_asyncio.fixture
def client_session():
    return None


@pytest_asyncio.fixture
async def db_session():
    async with Session() as session:
        yield session
"""
)
OUTER = (
    CLIENT
    + """
@pytest_asyncio.fixture
async def db_session():
    async with engine.connect() as connection, connection.begin() as transaction:
        session = AsyncSession(connection, expire_on_commit=False, join_transaction_mode="create_savepoint")
        yield session
        await session.close()
        await transaction.rollback()


@pytest_asyncio.fixture
def client_session(db_session):
    app.dependency_overrides[get_db] = lambda: db_session
    yield db_session
    app.dependency_overrides.clear()
"""
)


def write(folder: Path, *, crucible: bool, outer: bool) -> Path:
    """Write the project into *folder*, for Crucible or with a conftest of its own, and return its path."""
    folder.mkdir()
    (folder / "pyproject.toml").write_text(CONFIGURATION + (CRUCIBLE if crucible else ""))
    (folder / "app.py").write_text(APP)
    (folder / "test_rows.py").write_text(TESTS)
    if not crucible:
        (folder / "conftest.py").write_text(OUTER if outer else BARE)
    return folder
