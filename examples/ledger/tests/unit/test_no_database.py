import pytest
from pytest_crucible import RedirectError

from ledger.database import engine


async def test_database_is_out_of_reach():
    """A unit test that touches the database is told so; it does not quietly become an integration test."""
    with pytest.raises(RedirectError):
        await engine.connect()
