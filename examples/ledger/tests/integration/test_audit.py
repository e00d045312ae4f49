import pytest
from httpx import AsyncClient
from pytest_crucible import overriding
from sqlalchemy import select, text
from sqlalchemy.ext.asyncio import AsyncSession

from ledger.audit import audit_in_background
from ledger.main import app
from ledger.models import AuditRecord
from tests.fixtures.people import PASSWORD, Pay, Person


async def test_background_task_leaves_a_record(pay: Pay, db_session: AsyncSession, alice: Person, bob: Person):
    """The record is written after the response, in a session of its own, and seen from this one."""
    made = (await pay(alice, bob, 5_00)).json()
    record = (await db_session.scalars(select(AuditRecord))).one()
    assert (record.actor_id, record.action) == (alice.user_id, "transfer.made")
    assert record.detail == {"transfer_id": made["id"]}


@pytest.mark.parametrize("time", ["first", "second"])
async def test_record_lies_in_a_partition(time: str, async_client: AsyncClient, db_session: AsyncSession):
    """Rows that came in through the parent are restored in the partition that holds them."""
    await async_client.post("/users", json={"email": "carol@example.org", "password": PASSWORD})
    query = text("SELECT tableoid::regclass::text FROM audit_log")
    assert (await db_session.scalars(query)).all() == ["audit_log_remainder"]


async def test_without_the_trail(pay: Pay, db_session: AsyncSession, alice: Person, bob: Person):
    """A route notes what it did through a dependency; while that is replaced, nothing is written."""
    noted: list[str] = []
    with overriding(app, {audit_in_background: lambda: lambda _actor, action, **_detail: noted.append(action)}):
        await pay(alice, bob, 5_00)
    await pay(alice, bob, 5_00)
    assert noted == ["transfer.made"]
    assert len((await db_session.scalars(select(AuditRecord))).all()) == 1
