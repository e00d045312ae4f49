"""A request with a key is carried out once, however often it arrives."""

from __future__ import annotations

from sqlalchemy import update
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncSession

from ledger.errors import NotPossible
from ledger.models import IdempotencyKey, User
from ledger.models.declarative import Json


async def claim(session: AsyncSession, user: User, key: str, request: Json) -> Json | None:
    """Return the earlier answer to this request; None if it is new.

    A second request with the same key waits here, on the unique index, until the first one commits
    (and is then answered from the stored response) or rolls back (and then carries the request out).
    """
    row = {"user_id": user.id, "key": key, "request": request}
    claimed = await session.scalar(
        insert(IdempotencyKey).values(row).on_conflict_do_nothing().returning(IdempotencyKey.key)
    )
    return None if claimed else await _replay(session, user, key, request)


async def answer(session: AsyncSession, user: User, key: str, response: Json) -> None:
    """Keep the response for later requests with the same key."""
    mine = (IdempotencyKey.user_id == user.id) & (IdempotencyKey.key == key)
    await session.execute(update(IdempotencyKey).where(mine).values(response=response))


async def _replay(session: AsyncSession, user: User, key: str, request: Json) -> Json | None:
    stored = await session.get_one(IdempotencyKey, (user.id, key))
    if stored.request != request:
        raise NotPossible("this idempotency key was used for another request")
    return stored.response
