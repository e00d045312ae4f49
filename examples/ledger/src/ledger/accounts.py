"""Opening, finding and closing accounts."""

from __future__ import annotations

from collections.abc import Sequence

from sqlalchemy import func, select
from sqlalchemy.ext.asyncio import AsyncSession

from ledger.errors import Conflict, NotFound, NotPossible
from ledger.models import Account, Currency, Entry, User


async def open_account(session: AsyncSession, owner: User, currency: str) -> Account:
    """Open a new, empty account."""
    if await session.get(Currency, currency) is None:
        raise NotPossible(f"the ledger does not keep {currency}")
    account = Account(owner_id=owner.id, currency=currency)
    session.add(account)
    await session.flush()
    return account


async def list_accounts(session: AsyncSession, owner: User) -> Sequence[Account]:
    """Return the owner's accounts, the oldest first."""
    query = select(Account).where(Account.owner_id == owner.id).order_by(Account.id)
    return (await session.scalars(query)).all()


async def get_account(session: AsyncSession, owner: User, account_id: int) -> Account:
    """Return an account of this owner; accounts of other owners do not exist for them."""
    account = await session.get(Account, account_id)
    if account is None or account.owner_id != owner.id:
        raise NotFound(f"you have no account {account_id}")
    return account


async def list_entries(session: AsyncSession, account: Account) -> Sequence[Entry]:
    """Return the account's entries, the latest first."""
    query = select(Entry).where(Entry.account_id == account.id).order_by(Entry.id.desc())
    return (await session.scalars(query)).all()


async def close_account(session: AsyncSession, owner: User, account_id: int) -> Account:
    """Close an empty account, unless it is the owner's last one.

    Two requests that close one account each would both count two open ones: only a SERIALIZABLE
    transaction keeps the rule, so the caller must pass the session of one.
    """
    account = await get_account(session, owner, account_id)
    if account.closed_at is not None or account.balance != 0:
        raise Conflict("only an open account with nothing in it can be closed")
    if await _count_open(session, owner) == 1:
        raise Conflict("this is your last open account")
    account.closed_at = await session.scalar(select(func.now()))
    await session.flush()
    return account


async def _count_open(session: AsyncSession, owner: User) -> int:
    query = select(func.count()).where(Account.owner_id == owner.id, Account.closed_at.is_(None))
    return (await session.execute(query)).scalar_one()
