"""Requests in every order of their statements: what a few requests at once meet by luck, if at all."""

from __future__ import annotations

from typing import Any

import pytest
from httpx import AsyncClient
from pytest_crucible import RaceError
from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

from ledger import transfers
from ledger.database import sessions
from ledger.errors import Conflict
from ledger.models import Account
from tests.fixtures.people import OPENING_BALANCE, Pay, Person


@pytest.fixture
async def spare(db_session: AsyncSession, bob: Person) -> Person:
    """Return bob with a second, empty account."""
    account = Account(owner_id=bob.user_id, currency="EUR", balance=0)
    db_session.add(account)
    await db_session.commit()
    return Person(bob.user_id, bob.email, account.id)


@pytest.fixture
def checked_before_the_lock(monkeypatch: pytest.MonkeyPatch) -> None:
    """Have transfers look whether an account is closed before they lock it, and not afterwards: a plausible bug."""
    lock, check = transfers._lock, transfers._check

    async def checked(session: AsyncSession, source_id: int, target_id: int) -> tuple[Account, Account]:
        query = select(Account.id).where(Account.id.in_([source_id, target_id]), Account.closed_at.is_not(None))
        if (await session.scalars(query)).all():
            raise Conflict("a closed account takes part in no transfer")
        return await lock(session, source_id, target_id)

    def unchecked(source: Account, target: Account, amount: int) -> None:
        try:
            check(source, target, amount)
        except Conflict as error:
            if "closed" not in str(error):
                raise

    monkeypatch.setattr(transfers, "_lock", checked)
    monkeypatch.setattr(transfers, "_check", unchecked)


async def no_money_is_locked_away() -> None:
    async with sessions() as session:
        closed = await session.scalars(select(Account.balance).where(Account.closed_at.is_not(None)))
        assert set(closed) <= {0}


async def nothing_is_lost() -> None:
    async with sessions() as session:
        balances = await session.scalars(select(Account.balance).order_by(Account.id))
        assert sum(balances) == 2 * OPENING_BALANCE


async def test_an_account_is_closed_while_money_arrives(
    race: Any, pay: Pay, async_client: AsyncClient, alice: Person, spare: Person
):
    """Either the transfer is refused, or the account stays open."""
    explored = await race(
        lambda: pay(alice, spare, 10_00),
        lambda: async_client.post(f"/accounts/{spare.account_id}/closing", headers=spare.headers),
        invariant=no_money_is_locked_away,
        switches=1,
    )
    assert set(explored.outcomes) == {("201", "409"), ("409", "200")}


@pytest.mark.usefixtures("checked_before_the_lock")
async def test_a_check_before_the_lock_is_found(
    race: Any, pay: Pay, async_client: AsyncClient, alice: Person, spare: Person
):
    """No other test of this suite fails on that bug: the account must be closed between two statements."""
    with pytest.raises(RaceError) as caught:
        await race(
            lambda: pay(alice, spare, 10_00),
            lambda: async_client.post(f"/accounts/{spare.account_id}/closing", headers=spare.headers),
            invariant=no_money_is_locked_away,
            switches=1,
        )
    assert "pytest --crucible-race=" in str(caught.value)


async def test_opposite_transfers(race: Any, pay: Pay, alice: Person, bob: Person):
    """Both directions succeed in each order with one switch, and no money is lost."""
    explored = await race(
        lambda: pay(alice, bob, 10_00), lambda: pay(bob, alice, 5_00), invariant=nothing_is_lost, switches=1
    )
    assert set(explored.outcomes) == {("201", "201")}


async def test_the_same_key_twice(race: Any, pay: Pay, alice: Person, bob: Person):
    """Whoever comes second is answered as the first."""

    def same(outcomes: list[Any]) -> None:
        assert outcomes[0].json() == outcomes[1].json()

    await race(*[lambda: pay(alice, bob, 10_00, key="rent")] * 2, invariant=same, orders=20)
