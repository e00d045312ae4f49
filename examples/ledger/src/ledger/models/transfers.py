"""Double-entry bookkeeping."""

from __future__ import annotations

from sqlalchemy import CheckConstraint, ForeignKey, String, text
from sqlalchemy.orm import Mapped, mapped_column, relationship

from ledger.models.declarative import Base, Created, Id, Json


class Transfer(Base):
    """One movement of money; its entries sum to zero, which PostgreSQL checks at commit."""

    __tablename__ = "transfers"
    __table_args__ = (
        CheckConstraint("amount > 0", name="positive"),
        CheckConstraint("source_id <> target_id", name="moves"),
    )

    id: Mapped[Id]
    source_id: Mapped[int] = mapped_column(ForeignKey("accounts.id"), index=True)
    target_id: Mapped[int] = mapped_column(ForeignKey("accounts.id"), index=True)
    amount: Mapped[int]
    memo: Mapped[str] = mapped_column(String(140), server_default=text("''"))
    created_at: Mapped[Created]

    entries: Mapped[list[Entry]] = relationship(lazy="raise")


class Entry(Base):
    """The effect of one transfer on one account."""

    __tablename__ = "entries"

    id: Mapped[Id]
    transfer_id: Mapped[int] = mapped_column(ForeignKey("transfers.id"), index=True)
    account_id: Mapped[int] = mapped_column(ForeignKey("accounts.id"), index=True)
    amount: Mapped[int]


class IdempotencyKey(Base):
    """A request that was carried out once, and its answer."""

    __tablename__ = "idempotency_keys"

    user_id: Mapped[int] = mapped_column(ForeignKey("users.id"), primary_key=True)
    key: Mapped[str] = mapped_column(String(80), primary_key=True)
    request: Mapped[Json]
    response: Mapped[Json | None]
    created_at: Mapped[Created]
