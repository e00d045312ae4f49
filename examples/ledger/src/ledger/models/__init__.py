"""The schema: tables, and what tables alone cannot express."""

from ledger.models.accounts import Account, Currency, User
from ledger.models.attached import attach
from ledger.models.declarative import Base
from ledger.models.records import AuditRecord, OutboxMessage
from ledger.models.transfers import Entry, IdempotencyKey, Transfer

attach(Base.metadata)

__all__ = [
    "Account",
    "AuditRecord",
    "Base",
    "Currency",
    "Entry",
    "IdempotencyKey",
    "OutboxMessage",
    "Transfer",
    "User",
]
