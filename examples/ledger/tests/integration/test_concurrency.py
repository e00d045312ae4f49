"""Several requests at once, each on a connection of its own: what one shared connection cannot show."""

import asyncio

from sqlalchemy.ext.asyncio import AsyncSession

from tests.fixtures.people import OPENING_BALANCE, Pay, Person, balance


async def test_no_transfer_is_lost(pay: Pay, db_session: AsyncSession, alice: Person, bob: Person):
    """Ten transfers at once move ten times the amount: each reads the balance that the one before left."""
    answers = await asyncio.gather(*(pay(alice, bob, 1_00) for _ in range(10)))
    assert {answer.status_code for answer in answers} == {201}
    assert await balance(db_session, alice) == OPENING_BALANCE - 10_00
    assert await balance(db_session, bob) == OPENING_BALANCE + 10_00


async def test_nobody_overdraws(pay: Pay, db_session: AsyncSession, alice: Person, bob: Person):
    """Of ten transfers at once, as many succeed as the balance covers."""
    answers = await asyncio.gather(*(pay(alice, bob, 30_00) for _ in range(10)))
    assert sorted(answer.status_code for answer in answers) == [201] * 3 + [409] * 7
    assert await balance(db_session, alice) == OPENING_BALANCE - 90_00


async def test_opposite_directions_do_not_deadlock(pay: Pay, db_session: AsyncSession, alice: Person, bob: Person):
    """Both directions lock the two accounts in the same order."""
    there = (pay(alice, bob, 1_00) for _ in range(5))
    back = (pay(bob, alice, 1_00) for _ in range(5))
    answers = await asyncio.gather(*there, *back)
    assert {answer.status_code for answer in answers} == {201}
    assert await balance(db_session, alice) == OPENING_BALANCE
