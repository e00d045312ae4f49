"""Users, currencies and accounts."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import CheckConstraint, ForeignKey, Index, String, text
from sqlalchemy.orm import Mapped, mapped_column

from ledger.models.declarative import Base, Created, Id


class User(Base):
    """A person who can log in."""

    __tablename__ = "users"

    id: Mapped[Id]
    email: Mapped[str] = mapped_column(String(254), unique=True)
    password_hash: Mapped[str] = mapped_column(String(128))
    created_at: Mapped[Created]


class Currency(Base):
    """A currency that the ledger keeps; its rows are part of the schema."""

    __tablename__ = "currencies"

    code: Mapped[str] = mapped_column(String(3), primary_key=True)


class Account(Base):
    """A balance in one currency, in its smallest unit.

    An account without an owner is the house's own: money enters and leaves the ledger through it, so its
    balance is the negative of all others of its currency.
    """

    __tablename__ = "accounts"
    __table_args__ = (
        CheckConstraint("owner_id IS NULL OR balance >= 0", name="covered"),
        Index("ix_accounts_house", "currency", unique=True, postgresql_where=text("owner_id IS NULL")),
    )

    id: Mapped[Id]
    owner_id: Mapped[int | None] = mapped_column(ForeignKey("users.id"), index=True)
    currency: Mapped[str] = mapped_column(ForeignKey("currencies.code"))
    balance: Mapped[int] = mapped_column(server_default=text("0"))
    created_at: Mapped[Created]
    closed_at: Mapped[datetime | None]
