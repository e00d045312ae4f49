"""PostgreSQL's own rules, which hold here as in production: transactions begin, block, fail and commit."""

import asyncio
from collections.abc import Callable

import pytest
from sqlalchemy import func, select, text, update
from sqlalchemy.exc import DBAPIError, IntegrityError
from sqlalchemy.ext.asyncio import AsyncSession

from ledger.database import SERIALIZATION_FAILURE, serializable_sessions, sessions, sqlstate
from ledger.models import Account, Entry, Transfer
from tests.fixtures.people import OPENING_BALANCE, Person, balance

LOCK_NOT_AVAILABLE = "55P03"
CHECK_VIOLATION = "23514"
SECONDS = 5.0


def locked(person: Person):
    return select(Account).where(Account.id == person.account_id).with_for_update()


async def test_serialization_failure(alice: Person, bob: Person):
    """Two transactions that each read what the other writes cannot both commit under SERIALIZABLE."""
    async with serializable_sessions() as first, serializable_sessions() as second:
        for session, reads, writes in ((first, alice, bob), (second, bob, alice)):
            held = await balance(session, reads)
            await session.execute(update(Account).where(Account.id == writes.account_id).values(balance=held + 1))
        await first.commit()
        with pytest.raises(DBAPIError) as caught:
            await second.commit()
    assert sqlstate(caught.value) == SERIALIZATION_FAILURE


async def test_deferred_constraint_is_checked_at_commit(db_session: AsyncSession, alice: Person, bob: Person):
    """One half of a transfer can be written, and fails when it is committed."""
    half = Transfer(source_id=alice.account_id, target_id=bob.account_id, amount=5_00)
    half.entries = [Entry(account_id=alice.account_id, amount=-5_00)]
    db_session.add(half)
    await db_session.flush()
    with pytest.raises(IntegrityError, match="do not sum to zero") as caught:
        await db_session.commit()
    assert sqlstate(caught.value) == CHECK_VIOLATION


async def test_deferred_constraint_sees_the_whole_transaction(db_session: AsyncSession, alice: Person, bob: Person):
    """Between the halves nothing is wrong yet."""
    made = Transfer(source_id=alice.account_id, target_id=bob.account_id, amount=5_00)
    db_session.add(made)
    await db_session.flush()
    for person, amount in ((alice, -5_00), (bob, 5_00)):
        db_session.add(Entry(transfer_id=made.id, account_id=person.account_id, amount=amount))
        await db_session.flush()
    await db_session.commit()
    assert await db_session.scalar(select(func.count()).select_from(Entry)) == 2


async def test_now_stands_still_within_a_transaction(db_session: AsyncSession):
    """``now()`` is when the transaction began."""
    first = await db_session.scalar(select(func.now()))
    assert await db_session.scalar(select(func.now())) == first


async def test_now_moves_on_between_transactions(db_session: AsyncSession):
    """Each commit begins a new time, so that records can be ordered by when they were made."""
    first = (await db_session.execute(select(func.now()))).scalar_one()
    await db_session.commit()
    assert (await db_session.execute(select(func.now()))).scalar_one() > first


async def test_row_lock_blocks(db_session: AsyncSession, alice: Person):
    """The second transaction waits for the lock, here until its time limit has passed."""
    await db_session.scalar(locked(alice))
    async with sessions() as other:
        await other.execute(text("SET LOCAL lock_timeout = '20ms'"))
        with pytest.raises(DBAPIError) as caught:
            await other.scalar(locked(alice))
    assert sqlstate(caught.value) == LOCK_NOT_AVAILABLE


async def test_locked_row_is_passed_over(db_session: AsyncSession, alice: Person, bob: Person):
    """SKIP LOCKED finds rows that no other transaction is working on."""
    await db_session.scalar(locked(alice))
    async with sessions() as other:
        free = select(Account.id).where(Account.owner_id.is_not(None)).with_for_update(skip_locked=True)
        assert (await other.scalars(free)).all() == [bob.account_id]


async def test_row_lock_lets_pass_at_commit(db_session: AsyncSession, alice: Person):
    """A transaction that waits for a lock goes on with what its holder committed."""
    account = (await db_session.scalars(locked(alice))).one()
    async with sessions() as other:
        waiting = asyncio.create_task(other.scalar(locked(alice)))
        await asyncio.wait_for(until_somebody_waits(db_session), SECONDS)
        account.balance += 1
        await db_session.commit()
        seen = await waiting
    assert seen is not None
    assert seen.balance == OPENING_BALANCE + 1


async def until_somebody_waits(session: AsyncSession) -> None:
    waits_for_me = text("SELECT count(*) FROM pg_locks WHERE pg_backend_pid() = ANY (pg_blocking_pids(pid))")
    while not await session.scalar(waits_for_me):  # noqa: ASYNC110 (PostgreSQL tells nobody who waits)
        await asyncio.sleep(0.001)


@pytest.mark.parametrize(
    "forget",
    [
        pytest.param(AsyncSession.flush, id="only flushed"),
        pytest.param(AsyncSession.rollback, id="rolled back"),
    ],
)
async def test_uncommitted_rows_are_nobody_elses(forget: Callable[..., object], alice: Person):
    """A forgotten commit shows: no other session sees what was only flushed."""
    async with sessions() as writer, sessions() as reader:
        account = (await writer.scalars(locked(alice))).one()
        account.balance = 0
        await writer.run_sync(lambda session: getattr(session, forget.__name__)())
        assert await balance(reader, alice) == OPENING_BALANCE
