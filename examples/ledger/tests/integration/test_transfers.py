import pytest
from httpx import AsyncClient
from sqlalchemy import func, select
from sqlalchemy.ext.asyncio import AsyncSession

from ledger.models import Transfer
from tests.fixtures.people import OPENING_BALANCE, Pay, Person, balance


async def test_transfer(pay: Pay, db_session: AsyncSession, alice: Person, bob: Person):
    """Another session sees what the application committed."""
    answer = await pay(alice, bob, 30_00)
    assert answer.status_code == 201
    assert await balance(db_session, alice) == OPENING_BALANCE - 30_00
    assert await balance(db_session, bob) == OPENING_BALANCE + 30_00


async def test_insufficient_funds(pay: Pay, db_session: AsyncSession, alice: Person, bob: Person):
    """A transfer that cannot be covered leaves nothing behind."""
    answer = await pay(alice, bob, OPENING_BALANCE + 1)
    assert answer.status_code == 409
    assert await db_session.scalar(select(func.count()).select_from(Transfer)) == 0


async def test_other_peoples_money(async_client: AsyncClient, alice: Person, bob: Person):
    """A user moves no money of another."""
    order = {"source_id": bob.account_id, "target_id": alice.account_id, "amount": 1}
    answer = await async_client.post("/transfers", json=order, headers=alice.headers)
    assert answer.status_code == 404


async def test_unknown_account(async_client: AsyncClient, alice: Person):
    """Money is not sent to nowhere."""
    order = {"source_id": alice.account_id, "target_id": 999, "amount": 1}
    answer = await async_client.post("/transfers", json=order, headers=alice.headers)
    assert answer.status_code == 404


async def test_to_oneself(pay: Pay, alice: Person):
    """A transfer moves something."""
    assert (await pay(alice, alice, 1)).status_code == 422


async def test_between_currencies(async_client: AsyncClient, alice: Person):
    """The ledger does not exchange."""
    dollars = await async_client.post("/accounts", json={"currency": "USD"}, headers=alice.headers)
    order = {"source_id": alice.account_id, "target_id": dollars.json()["id"], "amount": 1}
    answer = await async_client.post("/transfers", json=order, headers=alice.headers)
    assert answer.status_code == 422


@pytest.mark.parametrize("time", ["first", "second"])
async def test_ids_start_at_one(time: str, pay: Pay, alice: Person, bob: Person):
    """Sequences are reset as well: no test can tell which others ran before it."""
    assert (alice.user_id, bob.user_id) == (1, 2)
    assert (await pay(alice, bob, 1)).json()["id"] == 1
