"""The audit log's months; a scheduled job makes next month's partition in time."""

from __future__ import annotations

from datetime import date

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncSession


def month_after(month: date) -> date:
    """Return the first day of the next month."""
    return date(month.year + month.month // 12, month.month % 12 + 1, 1)


async def create_month(session: AsyncSession, month: date) -> str:
    """Make the partition of ``month`` if it is missing; return its name."""
    first = month.replace(day=1)
    name = f"audit_log_{first:%Y_%m}"
    await session.execute(
        text(
            f"CREATE TABLE IF NOT EXISTS {name} PARTITION OF audit_log "
            f"FOR VALUES FROM ('{first} 00:00+00') TO ('{month_after(first)} 00:00+00')"
        )
    )
    return name
