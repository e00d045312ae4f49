"""Accounts and what happened to them."""

from __future__ import annotations

from collections.abc import Sequence

from fastapi import APIRouter

from ledger import accounts, transfers
from ledger.audit import RequestAudit
from ledger.database import RequestSession, serializably
from ledger.dependencies import CurrentUser
from ledger.models import Account, Entry, Transfer
from ledger.schemas import AccountOpening, AccountOut, Deposit, EntryOut, TransferOut

router = APIRouter(prefix="/accounts", tags=["accounts"])


@router.post("", status_code=201, response_model=AccountOut)
async def open_account(
    wish: AccountOpening, user: CurrentUser, session: RequestSession, audit: RequestAudit
) -> Account:
    account = await accounts.open_account(session, user, wish.currency)
    await session.commit()
    audit(user, "account.opened", account_id=account.id)
    return account


@router.get("", response_model=list[AccountOut])
async def list_accounts(user: CurrentUser, session: RequestSession) -> Sequence[Account]:
    return await accounts.list_accounts(session, user)


@router.get("/{account_id}", response_model=AccountOut)
async def get_account(account_id: int, user: CurrentUser, session: RequestSession) -> Account:
    return await accounts.get_account(session, user, account_id)


@router.get("/{account_id}/entries", response_model=list[EntryOut])
async def list_entries(account_id: int, user: CurrentUser, session: RequestSession) -> Sequence[Entry]:
    account = await accounts.get_account(session, user, account_id)
    return await accounts.list_entries(session, account)


@router.post("/{account_id}/deposits", status_code=201, response_model=TransferOut)
async def deposit(
    account_id: int, wish: Deposit, user: CurrentUser, session: RequestSession, audit: RequestAudit
) -> Transfer:
    account = await accounts.get_account(session, user, account_id)
    made = await transfers.deposit(session, account, wish.amount)
    await session.commit()
    audit(user, "deposit.made", transfer_id=made.id)
    return made


@router.post("/{account_id}/closing", response_model=AccountOut)
async def close_account(account_id: int, user: CurrentUser, audit: RequestAudit) -> Account:
    account = await serializably(lambda session: accounts.close_account(session, user, account_id))
    audit(user, "account.closed", account_id=account_id)
    return account
