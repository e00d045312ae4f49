"""Random data: the same in each run, since it is drawn by the test's name."""

import pytest
from httpx import AsyncClient
from pytest_crucible import bulk_create

from ledger.models import User
from ledger.reports import totals
from tests.fixtures.factories import AccountFactory, RegistrationFactory, UserFactory
from tests.fixtures.people import Person

MANY = 3000


@pytest.fixture(scope="module")
async def crowd() -> list[User]:
    """Users of this module, made once."""
    return await UserFactory.create_batch_async(10)


async def test_whoever_registers_can_log_in(async_client: AsyncClient):
    """Any registration that the schema allows is accepted."""
    wish = RegistrationFactory.build()
    assert (await async_client.post("/users", json=wish.model_dump())).status_code == 201
    login = {"username": wish.email, "password": wish.password}
    assert (await async_client.post("/token", data=login)).status_code == 200


async def test_a_list_shows_the_owners_accounts(async_client: AsyncClient, alice: Person, crowd: list[User]):
    """Factories commit what they store: the application sees it."""
    mine = await AccountFactory.create_batch_async(20, owner_id=alice.user_id)
    await AccountFactory.create_async(owner_id=crowd[0].id)
    listed = (await async_client.get("/accounts", headers=alice.headers)).json()
    assert {account.id: account.balance for account in mine} == {one["id"]: one["balance"] for one in listed[1:]}


async def test_totals_of_many_accounts(crowd: list[User]):
    """Large data is copied."""
    for owner in crowd:
        await bulk_create(AccountFactory, MANY // len(crowd), owner_id=owner.id, balance=1)
    assert (await totals())["EUR"] == MANY
