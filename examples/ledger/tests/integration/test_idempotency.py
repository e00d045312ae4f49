import asyncio

from sqlalchemy import func, select
from sqlalchemy.ext.asyncio import AsyncSession

from ledger.models import Transfer
from tests.fixtures.people import OPENING_BALANCE, Pay, Person, balance


async def test_replay(pay: Pay, db_session: AsyncSession, alice: Person, bob: Person):
    """The second request with a key is answered as the first, and moves nothing."""
    answers = [await pay(alice, bob, 10_00, key="rent") for _ in range(2)]
    assert answers[0].json() == answers[1].json()
    assert await balance(db_session, alice) == OPENING_BALANCE - 10_00


async def test_replay_at_once(pay: Pay, db_session: AsyncSession, alice: Person, bob: Person):
    """Those that arrive while the first is being carried out wait for its commit, then replay it."""
    answers = await asyncio.gather(*(pay(alice, bob, 10_00, key="rent") for _ in range(5)))
    assert {answer.json()["id"] for answer in answers} == {1}
    assert await db_session.scalar(select(func.count()).select_from(Transfer)) == 1


async def test_key_of_another_request(pay: Pay, alice: Person, bob: Person):
    """A key names one request; another amount under it is a mistake of the caller."""
    await pay(alice, bob, 10_00, key="rent")
    assert (await pay(alice, bob, 20_00, key="rent")).status_code == 422


async def test_keys_are_each_users_own(pay: Pay, alice: Person, bob: Person):
    """Two users may choose the same key."""
    answers = [await pay(alice, bob, 1_00, key="rent"), await pay(bob, alice, 1_00, key="rent")]
    assert [answer.json()["id"] for answer in answers] == [1, 2]


async def test_failure_frees_the_key(pay: Pay, alice: Person, bob: Person):
    """A request that failed may be tried again: its claim was rolled back with it."""
    assert (await pay(alice, bob, OPENING_BALANCE + 1, key="rent")).status_code == 409
    assert (await pay(alice, bob, 10_00, key="rent")).status_code == 201
