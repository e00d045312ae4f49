"""Tests that change the schema: they need no mark, and the next test finds the schema as it was."""

from datetime import date

import pytest
from sqlalchemy import func, select, text
from sqlalchemy.ext.asyncio import AsyncSession

from ledger.audit import record
from ledger.models import Account, AuditRecord
from ledger.partitions import create_month
from tests.fixtures.people import Pay, Person

PARTITIONS = text("SELECT count(*) FROM pg_inherits WHERE inhparent = 'audit_log'::regclass")
COLUMNS = text("SELECT count(*) FROM information_schema.columns WHERE table_name = 'accounts'")


@pytest.mark.parametrize("time", ["first", "second"])
async def test_month_is_created(time: str, db_session: AsyncSession):
    """The scheduled job's partition receives the month's records."""
    assert await db_session.scalar(PARTITIONS) == 1
    today = await db_session.scalar(select(func.current_date()))
    assert isinstance(today, date)
    name = await create_month(db_session, today)
    await db_session.commit()
    await record(None, "month.created", {})
    found = select(text("tableoid::regclass::text")).select_from(AuditRecord)
    assert await db_session.scalar(found) == name


@pytest.mark.parametrize("time", ["first", "second"])
async def test_column_is_added(time: str, db_session: AsyncSession, pay: Pay, alice: Person, bob: Person):
    """The running version of the service must bear the next one's column while a deployment is under way."""
    before = await db_session.scalar(COLUMNS)
    assert before == len(Account.__table__.columns)
    await db_session.execute(text("ALTER TABLE accounts ADD COLUMN nickname text"))
    await db_session.commit()
    assert (await pay(alice, bob, 1_00)).status_code == 201
