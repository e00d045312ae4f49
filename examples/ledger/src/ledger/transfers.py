"""Moving money: lock in order, move, book both sides, tell the outbox."""

from __future__ import annotations

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

from ledger import outbox
from ledger.errors import Conflict, InsufficientFunds, NotFound, NotPossible
from ledger.models import Account, Entry, Transfer, User
from ledger.schemas import TransferOrder


async def transfer(session: AsyncSession, user: User, order: TransferOrder) -> Transfer:
    """Carry out a user's order between two accounts of the same currency."""
    source, target = await _lock(session, order.source_id, order.target_id)
    if source.owner_id != user.id:
        raise NotFound(f"you have no account {source.id}")
    return await _move(session, source, target, order.amount, order.memo)


async def deposit(session: AsyncSession, account: Account, amount: int) -> Transfer:
    """Let money into the ledger: the house owes what its users hold."""
    query = select(Account.id).where(Account.owner_id.is_(None), Account.currency == account.currency)
    house_id = (await session.scalars(query)).one()
    house, locked = await _lock(session, house_id, account.id)
    return await _move(session, house, locked, amount, "deposit")


async def _lock(session: AsyncSession, source_id: int, target_id: int) -> tuple[Account, Account]:
    """Return both accounts as they are now, locked in the order of their ids so that no two transfers deadlock."""
    if source_id == target_id:
        raise NotPossible("source and target are the same account")
    query = (
        select(Account)
        .where(Account.id.in_([source_id, target_id]))
        .order_by(Account.id)
        .with_for_update()
        .execution_options(populate_existing=True)
    )
    accounts = {account.id: account for account in await session.scalars(query)}
    if len(accounts) < 2:
        raise NotFound("there is no such account")
    return accounts[source_id], accounts[target_id]


async def _move(session: AsyncSession, source: Account, target: Account, amount: int, memo: str) -> Transfer:
    _check(source, target, amount)
    source.balance -= amount
    target.balance += amount
    done = Transfer(source_id=source.id, target_id=target.id, amount=amount, memo=memo)
    done.entries = [
        Entry(account_id=source.id, amount=-amount),
        Entry(account_id=target.id, amount=amount),
    ]
    session.add(done)
    await session.flush()
    await outbox.tell_transfer(session, done, owners=[source.owner_id, target.owner_id])
    return done


def _check(source: Account, target: Account, amount: int) -> None:
    if source.currency != target.currency:
        raise NotPossible(f"{source.currency} cannot be transferred to a {target.currency} account")
    if source.closed_at is not None or target.closed_at is not None:
        raise Conflict("a closed account takes part in no transfer")
    if source.owner_id is not None and source.balance < amount:
        raise InsufficientFunds(f"account {source.id} holds {source.balance}, not {amount}")
