import pytest
from sqlalchemy import select, text
from sqlalchemy.exc import ProgrammingError
from sqlalchemy.orm import Session

from ledger.models import Currency
from ledger.reports import reports_engine, totals


def test_script_without_an_event_loop(sync_session: Session):
    """A report that runs from cron uses a synchronous driver and sees the same database."""
    assert sync_session.scalars(select(Currency.code).order_by(Currency.code)).all() == ["EUR", "USD"]


async def test_reports_come_from_a_replica_under_a_role_of_their_own():
    """The engine for reports has another host and role, and sees what the application has committed."""
    assert await totals() == {"EUR": 0, "USD": 0}


@pytest.mark.parametrize("statement", ["SELECT email FROM users", "UPDATE accounts SET balance = 0"])
async def test_reports_may_read_the_books_and_nothing_else(statement: str):
    """A statement without a privilege is refused, as in production."""
    async with reports_engine.connect() as connection:
        with pytest.raises(ProgrammingError, match="permission denied"):
            await connection.execute(text(statement))
