"""The bodies of requests and responses."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field, StringConstraints

Email = Annotated[
    str, StringConstraints(strip_whitespace=True, to_lower=True, pattern=r"^[^@\s]+@[^@\s]+$", max_length=254)
]
CurrencyCode = Annotated[str, StringConstraints(pattern=r"^[A-Z]{3}$")]
Amount = Annotated[int, Field(gt=0, lt=2**53, description="In the currency's smallest unit.")]


class _Stored(BaseModel):
    model_config = ConfigDict(from_attributes=True)


class Registration(BaseModel):
    email: Email
    password: Annotated[str, Field(min_length=8, max_length=128)]


class UserOut(_Stored):
    id: int
    email: str
    created_at: datetime


class TokenOut(BaseModel):
    access_token: str
    token_type: str = "bearer"


class AccountOpening(BaseModel):
    currency: CurrencyCode


class AccountOut(_Stored):
    id: int
    currency: str
    balance: int
    created_at: datetime
    closed_at: datetime | None


class Deposit(BaseModel):
    amount: Amount


class TransferOrder(BaseModel):
    source_id: int
    target_id: int
    amount: Amount
    memo: Annotated[str, Field(max_length=140)] = ""


class TransferOut(_Stored):
    id: int
    source_id: int
    target_id: int
    amount: int
    memo: str
    created_at: datetime


class EntryOut(_Stored):
    transfer_id: int
    amount: int
