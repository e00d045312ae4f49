"""Reports: read from a replica, as a role that may read the books and nothing else."""

from __future__ import annotations

from sqlalchemy import func, select
from sqlalchemy.ext.asyncio import create_async_engine

from ledger.models import Account
from ledger.settings import settings

reports_engine = create_async_engine(settings.reports_url)


async def totals() -> dict[str, int]:
    """Return the sum of all balances in each currency, with the house's accounts: zero, or money was made."""
    query = select(Account.currency, func.sum(Account.balance)).group_by(Account.currency)
    async with reports_engine.connect() as connection:
        return {currency: int(total) for currency, total in await connection.execute(query)}
