"""Many rows, made once for this module: each test starts from them, whatever the one before did."""

import pytest
from httpx import AsyncClient
from sqlalchemy import delete, func, select
from sqlalchemy.ext.asyncio import AsyncSession

from ledger import transfers
from ledger.database import sessions
from ledger.models import Account, Entry, IdempotencyKey
from tests.fixtures.people import OPENING_BALANCE, Pay, Person, join

DEPOSITS = 50


@pytest.fixture(scope="module")
async def saver() -> Person:
    """Return a user with a long history, committed by the application's own code."""
    async with sessions() as session:
        person = await join(session, "saver")
        account = await session.get_one(Account, person.account_id)
        for _ in range(DEPOSITS):
            await transfers.deposit(session, account, 1_00)
        await session.commit()
    return person


async def count_entries(session: AsyncSession) -> int:
    return await session.scalar(select(func.count()).select_from(Entry)) or 0


async def test_long_statement(async_client: AsyncClient, saver: Person):
    """Every deposit is listed."""
    answer = await async_client.get(f"/accounts/{saver.account_id}/entries", headers=saver.headers)
    assert len(answer.json()) == DEPOSITS


async def test_history_can_be_lost(db_session: AsyncSession, saver: Person):
    """This test deletes what the module's fixture made…"""
    await db_session.execute(delete(Entry))
    await db_session.execute(delete(IdempotencyKey))
    await db_session.commit()
    assert await count_entries(db_session) == 0


async def test_history_is_back(db_session: AsyncSession, saver: Person):
    """…and this one does not notice."""
    assert await count_entries(db_session) == 2 * DEPOSITS
    account = await db_session.get_one(Account, saver.account_id)
    assert account.balance == OPENING_BALANCE + DEPOSITS * 1_00


async def test_next_transfer_continues_the_numbering(pay: Pay, saver: Person, alice: Person):
    """Sequences, too, start where the shared rows left them."""
    assert (await pay(saver, alice, 1_00)).json()["id"] == DEPOSITS + 1
