"""Probes, which not every way passes: each is a pair of equal tests, the second of which meets what the first left."""

from __future__ import annotations

import asyncio
import uuid

import pytest
from app.main import SessionLocal, buy, register
from sqlalchemy import text

twice = pytest.mark.parametrize("time", [1, 2])


def email() -> str:
    return f"{uuid.uuid4().hex}@example.com"


@twice
async def test_gather(async_client, time):
    """Five requests at once, each in a transaction of its own."""
    orders = [async_client.post("/orders", params={"email": email()}) for _ in range(5)]
    answers = await asyncio.wait_for(asyncio.gather(*orders), 20)
    assert [answer.status_code for answer in answers] == [201] * 5
    assert (await async_client.get("/counts")).json() == [5, 5, 10]


@twice
async def test_own_session(async_client, time):
    """The application opens a session without a dependency, as a background task does."""
    async with SessionLocal() as session:
        await register(session, email())
    assert (await async_client.get("/counts")).json() == [1, 0, 0]


@twice
async def test_commit(db_session, time):
    """A commit ends the transaction: what follows has an id of its own."""
    first = await db_session.scalar(text("SELECT pg_current_xact_id()::text"))
    await register(db_session, email())
    second = await db_session.scalar(text("SELECT pg_current_xact_id()::text"))
    assert first != second


@twice
async def test_sequence(db_session, time):
    """Keys begin at 1."""
    assert await buy(db_session, email()) == 1
