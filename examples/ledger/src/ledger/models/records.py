"""The records of the audit log, and the outbox."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import Identity, Index, String, func, text
from sqlalchemy.orm import Mapped, mapped_column

from ledger.models.declarative import Base, Created, Id, Json


class AuditRecord(Base):
    """A user's action; partitioned by month, so that old months can be detached and archived."""

    __tablename__ = "audit_log"
    __table_args__ = ({"postgresql_partition_by": "RANGE (at)"},)

    id: Mapped[int] = mapped_column(Identity(), primary_key=True)
    at: Mapped[datetime] = mapped_column(server_default=func.now(), primary_key=True)
    # No foreign key: the log outlives what it tells about.
    actor_id: Mapped[int | None]
    action: Mapped[str] = mapped_column(String(40), index=True)
    detail: Mapped[Json]


class OutboxMessage(Base):
    """An event that was committed together with its cause, until the relay has told it."""

    __tablename__ = "outbox"
    __table_args__ = (Index("ix_outbox_waiting", "id", postgresql_where=text("relayed_at IS NULL")),)

    id: Mapped[Id]
    topic: Mapped[str] = mapped_column(String(40))
    payload: Mapped[Json]
    created_at: Mapped[Created]
    relayed_at: Mapped[datetime | None]
