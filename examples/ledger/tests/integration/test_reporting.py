from sqlalchemy import select
from sqlalchemy.orm import Session

from ledger.models import Currency


def test_script_without_an_event_loop(sync_session: Session):
    """A report that runs from cron uses a synchronous driver and sees the same database."""
    assert sync_session.scalars(select(Currency.code).order_by(Currency.code)).all() == ["EUR", "USD"]
