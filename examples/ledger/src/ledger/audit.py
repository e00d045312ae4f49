"""The audit trail: written after the response, in a session of its own.

A request that fails later, or whose own transaction is rolled back, is on record all the same.
"""

from __future__ import annotations

from typing import Annotated, Protocol

from fastapi import BackgroundTasks, Depends
from sqlalchemy.ext.asyncio import async_sessionmaker

from ledger.database import engine
from ledger.models import AuditRecord, User

audit_sessions = async_sessionmaker(engine)


class Audit(Protocol):
    """Notes an action; the row is written in the background."""

    def __call__(self, actor: User | None, action: str, **detail: object) -> None: ...


async def record(actor_id: int | None, action: str, detail: dict[str, object]) -> None:
    """Write one record and commit it."""
    async with audit_sessions.begin() as session:
        session.add(AuditRecord(actor_id=actor_id, action=action, detail=detail))


def audit_in_background(background: BackgroundTasks) -> Audit:
    """Return the recorder that a route notes its actions with."""

    def note(actor: User | None, action: str, **detail: object) -> None:
        background.add_task(record, actor.id if actor else None, action, detail)

    return note


RequestAudit = Annotated[Audit, Depends(audit_in_background)]
