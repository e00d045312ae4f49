import asyncio

import pytest
from httpx import AsyncClient
from pytest_crucible import QueryLog
from sqlalchemy import select, update
from sqlalchemy.ext.asyncio import AsyncSession

from ledger.models import Account
from tests.fixtures.people import Person


async def open_account(client: AsyncClient, owner: Person, currency: str = "EUR") -> int:
    answer = await client.post("/accounts", json={"currency": currency}, headers=owner.headers)
    assert answer.status_code == 201
    return int(answer.json()["id"])


async def test_open_account(async_client: AsyncClient, alice: Person):
    """A new account is empty and listed after the older ones."""
    opened = await open_account(async_client, alice, "USD")
    listed = (await async_client.get("/accounts", headers=alice.headers)).json()
    assert [account["id"] for account in listed] == [alice.account_id, opened]
    assert listed[-1]["balance"] == 0


async def test_a_list_takes_two_statements(async_client: AsyncClient, alice: Person, query_log: QueryLog):
    """One for the user, one for their accounts, however many those are."""
    for _ in range(3):
        await open_account(async_client, alice)
    with query_log.expect(exactly=2):
        await async_client.get("/accounts", headers=alice.headers)


async def test_unknown_currency(async_client: AsyncClient, alice: Person):
    """The ledger keeps the currencies of its reference data and no others."""
    answer = await async_client.post("/accounts", json={"currency": "XAU"}, headers=alice.headers)
    assert answer.status_code == 422


async def test_other_peoples_accounts_do_not_exist(async_client: AsyncClient, alice: Person, bob: Person):
    """Only the owner of an account learns that it exists."""
    answer = await async_client.get(f"/accounts/{bob.account_id}", headers=alice.headers)
    assert answer.status_code == 404


@pytest.mark.parametrize("time", ["first", "second"])
async def test_deposit(time: str, async_client: AsyncClient, db_session: AsyncSession, alice: Person):
    """The house owes the money that comes in; its account is a row of the schema, which each test finds at zero."""
    await async_client.post(f"/accounts/{alice.account_id}/deposits", json={"amount": 25_00}, headers=alice.headers)
    house = select(Account.balance).where(Account.owner_id.is_(None), Account.currency == "EUR")
    assert await db_session.scalar(house) == -25_00


async def test_entries(async_client: AsyncClient, alice: Person):
    """An account tells what happened to it, the latest first."""
    for amount in (1_00, 2_00):
        await async_client.post(
            f"/accounts/{alice.account_id}/deposits", json={"amount": amount}, headers=alice.headers
        )
    entries = (await async_client.get(f"/accounts/{alice.account_id}/entries", headers=alice.headers)).json()
    assert [entry["amount"] for entry in entries] == [2_00, 1_00]


async def test_close_account(async_client: AsyncClient, alice: Person):
    """An empty account can be closed while another one stays open."""
    opened = await open_account(async_client, alice)
    answer = await async_client.post(f"/accounts/{opened}/closing", headers=alice.headers)
    assert answer.json()["closed_at"] is not None


async def test_account_with_money_stays_open(async_client: AsyncClient, alice: Person):
    """Closing an account must not make money disappear."""
    await open_account(async_client, alice)
    answer = await async_client.post(f"/accounts/{alice.account_id}/closing", headers=alice.headers)
    assert answer.status_code == 409


async def test_last_open_account_stays(async_client: AsyncClient, db_session: AsyncSession, alice: Person):
    """Two closings at once count two open accounts each; only SERIALIZABLE and a retry keep the last one open."""
    await db_session.execute(update(Account).values(balance=0))
    await db_session.commit()
    ids = [alice.account_id, await open_account(async_client, alice)]
    answers = await asyncio.gather(
        *(async_client.post(f"/accounts/{account}/closing", headers=alice.headers) for account in ids)
    )
    assert sorted(answer.status_code for answer in answers) == [200, 409]
