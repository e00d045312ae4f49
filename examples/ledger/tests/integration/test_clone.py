import pytest
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncSession

from tests.fixtures.people import OPENING_BALANCE, Pay, Person, balance


@pytest.mark.crucible(isolation="clone")
async def test_database_of_its_own(pay: Pay, db_session: AsyncSession, alice: Person, bob: Person):
    """A test with changes that no reset can undo requests a database of its own; nothing else changes for it."""
    await db_session.execute(text("ALTER TABLE entries DISABLE TRIGGER USER"))
    await db_session.commit()
    assert (await pay(alice, bob, 1_00)).status_code == 201
    assert await balance(db_session, alice) == OPENING_BALANCE - 1_00
