"""Tests that move Python's clock: Crucible works on."""

from __future__ import annotations

TESTS = """
from datetime import datetime, timezone

import pytest
import time_machine
from sqlalchemy import func, select

from app import Session, User

OLD = datetime(2000, 1, 1, tzinfo=timezone.utc)

async def users():
    async with Session() as session:
        return await session.scalar(select(func.count()).select_from(User))

@pytest.fixture
def old():
    with time_machine.travel(OLD, tick=False):
        yield

@pytest.mark.parametrize("number", range(2))
@time_machine.travel(OLD)
async def test_travelled(number, db_session):
    assert await users() == 0
    db_session.add(User(name="ada"))
    await db_session.commit()

@pytest.mark.parametrize("number", range(2))
async def test_in_a_fixture(number, old, db_session, async_client):
    assert datetime.now(timezone.utc) == OLD
    assert await users() == 0
    assert (await async_client.post("/users?name=ada")).status_code == 200

async def test_a_race(old, race):
    async def read():
        await users()
    assert (await race(read, read)).is_exhaustive
"""


def test_a_clock_that_stands_still(project):
    """Resets, clients and races work while Python's clock is moved or stands still, in a test or in a fixture."""
    project.run(TESTS).assert_outcomes(passed=5)
