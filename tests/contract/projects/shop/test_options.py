"""The contract with all of its options."""

from uuid import UUID

import pytest_asyncio
from app import Parcel
from pytest_crucible.contract import api_contract

PARCEL = UUID("2c9bd1ab-39ae-4a3b-9c11-0d4b8cc3b2f0")


@pytest_asyncio.fixture(autouse=True)
async def parcel(db_session):
    db_session.add(Parcel(id=PARCEL))
    await db_session.commit()


test_contract = api_contract(
    exclude=["POST /ddl", "POST /open*", "POST /refuses*", "POST /fails", "POST /me/refuses"],
    secured=["* /me/*"],
    may_write=["attempts"],
    allowed=[503],
    known={"parcel_id": [PARCEL]},
    examples=20,
)
test_responses = api_contract(exclude=["POST *"], responses=True, examples=20)
