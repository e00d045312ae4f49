"""Events that are committed together with their cause, and the relay's half of telling them.

A message is inserted in the transaction that it tells about, which also notifies ``ledger_outbox``:
PostgreSQL delivers that only if the transaction commits. A relay then claims waiting messages and notifies
``ledger_events``, on which every process of the service listens.
"""

from __future__ import annotations

import json
from collections.abc import Sequence

from sqlalchemy import ARRAY, Text, cast, func, select, update
from sqlalchemy.ext.asyncio import AsyncSession

from ledger.models import OutboxMessage, Transfer
from ledger.schemas import TransferOut

OUTBOX = "ledger_outbox"
EVENTS = "ledger_events"


async def tell_transfer(session: AsyncSession, done: Transfer, *, owners: Sequence[int | None]) -> None:
    """Leave the message that a transfer was made, for those who own its accounts."""
    payload = {
        "transfer": TransferOut.model_validate(done).model_dump(mode="json"),
        "users": sorted({owner for owner in owners if owner is not None}),
    }
    session.add(OutboxMessage(topic="transfer.made", payload=payload))
    await session.flush()
    await session.execute(select(func.pg_notify(OUTBOX, "")))


async def claim(session: AsyncSession, limit: int = 100) -> Sequence[OutboxMessage]:
    """Return the oldest messages that no other relay is telling just now."""
    query = (
        select(OutboxMessage)
        .where(OutboxMessage.relayed_at.is_(None))
        .order_by(OutboxMessage.id)
        .limit(limit)
        .with_for_update(skip_locked=True)
    )
    return (await session.scalars(query)).all()


async def relay(session: AsyncSession) -> int:
    """Tell every waiting message; return their number."""
    messages = await claim(session)
    if messages:
        payloads = cast([json.dumps(message.payload) for message in messages], ARRAY(Text))
        await session.execute(select(func.pg_notify(EVENTS, func.unnest(payloads))))
        told = [message.id for message in messages]
        await session.execute(update(OutboxMessage).where(OutboxMessage.id.in_(told)).values(relayed_at=func.now()))
    return len(messages)
